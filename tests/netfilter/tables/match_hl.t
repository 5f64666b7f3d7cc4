:ip mangle PREROUTING
-m hl --hl-eq 3 ;  ; FAIL
:ip6 filter INPUT
-m hl --hl 3 ; -m hl --hl-eq 3 ; OK
-m hl ! --hl-eq 5 ; = ; OK
-m hl --hl-gt 5 --hl-lt 9 ;  ; FAIL
