:ip mangle FORWARD
-j TOS --set-tos 0x10 ; -j TOS --set-tos 0x10/0xff ; OK
-j TOS --set-tos Minimize-Delay ; -j TOS --set-tos 0x10/0x3f ; OK
-j TOS --set-tos 0x10/0x3f ; = ; OK
-j TOS --and-tos 0x10 ; -j TOS --set-tos 0x00/0xef ; OK
-j TOS --or-tos 0x10 ; -j TOS --set-tos 0x10/0x10 ; OK
-j TOS --xor-tos 0x10 ; -j TOS --set-tos 0x10/0x00 ; OK
-j TOS --set-tos 0x10/0x0 ; -j TOS --set-tos 0x10/0x00 ; OK
-j TOS ;  ; FAIL
