:ip filter INPUT
-m mac ! --mac-source 0:1:2:3:AB:cd ; -m mac ! --mac-source 00:01:02:03:ab:cd ; OK
-m mac ;  ; FAIL
-m mac --mac-source 1:2:3:4:5 ;  ; FAIL
