:ip filter INPUT
-m ttl --ttl-eq 3 ; = ; OK
-m ttl --ttl 3 ; -m ttl --ttl-eq 3 ; OK
-m ttl ! --ttl-eq 3 ; = ; OK
-m ttl --ttl-gt 3 ; = ; OK
-m ttl --ttl-lt 3 ; = ; OK
-m ttl --ttl-lt 3 --ttl-gt 5 ;  ; FAIL
-m ttl ;  ; FAIL
:ip6 mangle PREROUTING
-m ttl --ttl-eq 3 ;  ; FAIL
