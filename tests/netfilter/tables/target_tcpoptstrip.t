:ip mangle FORWARD
-p tcp -j TCPOPTSTRIP --strip-options 2,3,sack ; -p tcp -j TCPOPTSTRIP --strip-options 2,3,5 ; OK
-p tcp -j TCPOPTSTRIP --strip-options sack-permitted,timestamp,md5 ; -p tcp -j TCPOPTSTRIP --strip-options 4,8,19 ; OK
-p tcp -j TCPOPTSTRIP --strip-options 1 ;  ; FAIL
-p tcp -j TCPOPTSTRIP ; = ; OK
