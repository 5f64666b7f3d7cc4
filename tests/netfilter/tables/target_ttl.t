:ip mangle FORWARD
-j TTL --ttl-dec 3 ; = ; OK
-j TTL --ttl-set 300 ;  ; FAIL
-j TTL ;  ; FAIL
