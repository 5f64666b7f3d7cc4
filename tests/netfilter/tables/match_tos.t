:ip filter INPUT
-m tos --tos 16 ; -m tos --tos 0x10/0xff ; OK
-m tos ! --tos 0x10/0x1c ; = ; OK
-m tos --tos foo ;  ; FAIL
