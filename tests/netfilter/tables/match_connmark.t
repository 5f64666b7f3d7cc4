:ip filter FORWARD
-m connmark ! --mark 0x10/0x10 ; = ; OK
:ip filter INPUT
-m connmark --mark 0x1/0x2 ; = ; OK
:ip mangle INPUT
-m connmark ;  ; FAIL
