:ip filter FORWARD
-m length --length 100 ; = ; OK
-m length --length 60:20 ; = ; OK
:ip filter INPUT
-m length --length 0:65536 ;  ; FAIL
-m length ! --length 100: ; -m length ! --length 100:65535 ; OK
