:ip mangle FORWARD
-j CONNSECMARK --save --restore ;  ; FAIL
:ip mangle FORWARD
-j CONNSECMARK --save ; = ; OK
-j CONNSECMARK --restore ; = ; OK
