:ip mangle FORWARD
-j MARK --set-mark 1/2/3 ;  ; FAIL
:ip mangle INPUT
-j MARK --set-mark 5 ; -j MARK --set-xmark 0x5/0xffffffff ; OK
-j MARK --set-mark 5/0xff ; -j MARK --set-xmark 0x5/0xff ; OK
-j MARK --set-xmark 5/0xff ; -j MARK --set-xmark 0x5/0xff ; OK
-j MARK --or-mark 5 ; -j MARK --set-xmark 0x5/0x5 ; OK
-j MARK --and-mark 5 ; -j MARK --set-xmark 0x0/0xfffffffa ; OK
-j MARK --xor-mark 5 ; -j MARK --set-xmark 0x5/0x0 ; OK
-j MARK --set-mark 0x10/0x5 ; -j MARK --set-xmark 0x10/0x15 ; OK
-j MARK --set-mark ;  ; FAIL
-j MARK ;  ; FAIL
-j MARK --set-mark 1 --or-mark 2 ;  ; FAIL
