:ip mangle FORWARD
-j DSCP --set-dscp 10 ; -j DSCP --set-dscp 0x0a ; OK
-j DSCP --set-dscp-class af11 ; -j DSCP --set-dscp 0x0a ; OK
-j DSCP ;  ; FAIL
