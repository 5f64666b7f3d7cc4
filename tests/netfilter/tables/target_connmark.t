:ip mangle INPUT
-j CONNMARK --save-mark ; -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff ; OK
-j CONNMARK --restore-mark --mask 0xff ; -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff ; OK
-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0 ; = ; OK
-j CONNMARK --set-mark 5 ; -j CONNMARK --set-xmark 0x5/0xffffffff ; OK
-j CONNMARK --set-mark 5/0xff ; -j CONNMARK --set-xmark 0x5/0xff ; OK
-j CONNMARK --or-mark 5 ; -j CONNMARK --set-xmark 0x5/0x5 ; OK
-j CONNMARK ;  ; FAIL
-j CONNMARK --set-mark 0x10/0x5 ; -j CONNMARK --set-xmark 0x10/0x15 ; OK
-j CONNMARK --set-xmark 0x10/0x5 ; = ; OK
-j CONNMARK --and-mark 0x10 ; -j CONNMARK --set-xmark 0x0/0xffffffef ; OK
-j CONNMARK --xor-mark 0x10 ; -j CONNMARK --set-xmark 0x10/0x0 ; OK
-j CONNMARK --set-xmark 1 --left-shift-mark 2 ; -j CONNMARK --set-xmark 0x1/0xffffffff --left-shift-mark 2 ; OK
-j CONNMARK --restore-mark --nfmask 0xff ; -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xffffffff ; OK
:ip mangle PREROUTING
-j CONNMARK --save-mark --mask 0xff --nfmask 0xf ;  ; FAIL
