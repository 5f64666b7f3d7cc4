:ip filter INPUT
-j LOG --log-level debug ; -j LOG --log-level 7 ; OK
-j LOG --log-level warning ; -j LOG ; OK
-j LOG --log-level 4 ; -j LOG ; OK
-j LOG --log-prefix foo --log-macdecode --log-uid --log-ip-options --log-tcp-options --log-tcp-sequence ; -j LOG --log-prefix foo --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode ; OK
-j LOG --log-prefix "x y 123456789012345678901234567890" ; -j LOG --log-prefix "x y 1234567890123456789012345" ; OK
-j LOG --log-prefix "" ;  ; FAIL
-j LOG --log-level 8 ;  ; FAIL
-j LOG --log-prefix "a'b\"c\\d" ; -j LOG --log-prefix "a\'b\"c\\d" ; OK
-j LOG --log-level WARN ;  ; FAIL
-j LOG --log-level DEBUG ;  ; FAIL
-j LOG --log-level 0x3 ; -j LOG --log-level 3 ; OK
:ip6 filter INPUT
-j LOG --log-prefix foo --log-level err ;  ; FAIL
