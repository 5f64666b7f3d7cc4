:ip mangle FORWARD
-j HMARK --hmark-tuple src,dst --hmark-mod 10 --hmark-rnd 0x10 ; -j HMARK --hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-rnd 0x00000010 --hmark-mod 10 ; OPAQUE
-j HMARK --hmark-tuple src,dst,sport,dport --hmark-mod 10 --hmark-rnd 0x10 --hmark-sport 5 --hmark-offset 0x10 ; -j HMARK --hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-sport-mask 0xffff --hmark-dport-mask 0xffff --hmark-sport 0x0005 --hmark-rnd 0x00000010 --hmark-mod 10 --hmark-offset 16 ; OPAQUE
-j HMARK --hmark-tuple src,ct --hmark-mod 5 ;  ; FAIL
-j HMARK --hmark-tuple src,spi --hmark-mod 5 --hmark-rnd 1 ; -j HMARK --hmark-src-prefix 32 --hmark-spi-mask 0xffffffff --hmark-rnd 0x00000001 --hmark-mod 5 ; OPAQUE
-j HMARK --hmark-tuple src,dst --hmark-mod 10 ;  ; FAIL
-j HMARK ;  ; FAIL
