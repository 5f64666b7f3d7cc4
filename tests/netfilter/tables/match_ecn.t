:ip filter INPUT
-m ecn --ecn-ip-ect 4 ;  ; FAIL
-p tcp -m ecn --ecn-ip-ect 1 ; = ; OK
-p tcp -m ecn ! --ecn-tcp-ece ; = ; OK
