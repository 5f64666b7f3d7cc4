:ip filter INPUT
-m dscp ! --dscp 10 ; -m dscp ! --dscp 0x0a ; OK
-m dscp --dscp-class af21 ; -m dscp --dscp 0x12 ; OK
-m dscp --dscp-class cs1 ; -m dscp --dscp 0x08 ; OK
-m dscp --dscp-class VA ;  ; FAIL
-m dscp ;  ; FAIL
