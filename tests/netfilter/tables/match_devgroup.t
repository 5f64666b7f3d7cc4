:ip filter FORWARD
-m devgroup ! --src-group 0x1/0x2 --dst-group 3 ; -m devgroup ! --src-group 0x1/0x2 --dst-group 0x3 ; OK
:ip filter INPUT
-m devgroup --src-group 1 ; -m devgroup --src-group 0x1 ; OK
-m devgroup --src-group 0x5/0x0 ; = ; OK
-m devgroup ;  ; FAIL
