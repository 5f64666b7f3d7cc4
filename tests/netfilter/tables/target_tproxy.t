:ip mangle PREROUTING
-p tcp -j TPROXY --on-port 12345 ; -p tcp -j TPROXY --on-port 12345 --on-ip 0.0.0.0 --tproxy-mark 0x0/0x0 ; OPAQUE
-p tcp -j TPROXY --on-port http --tproxy-mark 1 ; -p tcp -j TPROXY --on-port 80 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff ; OPAQUE
-p tcp -j TPROXY --on-port 5 --tproxy-mark 0x10/0x1 ; -p tcp -j TPROXY --on-port 5 --on-ip 0.0.0.0 --tproxy-mark 0x10/0x1 ; OPAQUE
-p tcp -j TPROXY --on-ip 1.2.3.4 ;  ; FAIL
