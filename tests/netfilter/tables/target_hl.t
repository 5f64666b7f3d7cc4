:ip mangle FORWARD
-j HL --hl-set 4 ;  ; FAIL
:ip6 mangle FORWARD
-j HL --hl-set 0x20 ; -j HL --hl-set 32 ; OK
-j HL ;  ; FAIL
-j HL --hl-inc 2 ; = ; OK
