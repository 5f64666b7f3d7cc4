:ip filter INPUT
-m mark --mark 0x4000/0x4000 ; = ; OK
-m mark --mark 5 ; -m mark --mark 0x5 ; OK
-m mark ! --mark 5/0xff ; -m mark ! --mark 0x5/0xff ; OK
-m mark --mark 0x105/0xff ; = ; OK
-m mark --mark 0x1/0x1 -m mark ! --mark 2 ; -m mark --mark 0x1/0x1 -m mark ! --mark 0x2 ; OK
-m mark ;  ; FAIL
-m mark --mark 0x100000000 ;  ; FAIL
:ip mangle FORWARD
-m mark --mark 010 ; -m mark --mark 0x8 ; OK
-m mark --mark 08 ;  ; FAIL
