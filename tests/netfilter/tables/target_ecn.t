:ip mangle FORWARD
-j ECN --ecn-tcp-remove ;  ; FAIL
-p tcp -j ECN --ecn-ip-ect 2 ; = ; OK
-p tcp -j ECN --ecn-tcp-cwr 1 --ecn-tcp-ece 0 ; -p tcp -j ECN --ecn-tcp-ece 0 --ecn-tcp-cwr 1 ; OK
-p tcp -j ECN ;  ; FAIL
