:ip filter FORWARD
-m policy --dir in --pol none ; = ; OPAQUE
-m policy --dir out --pol ipsec ! --reqid 1 --mode transport ; = ; OPAQUE
-m policy --dir out --pol ipsec --proto esp --mode tunnel --tunnel-src 1.2.3.4 --tunnel-dst 10.0.0.0/8 ; -m policy --dir out --pol ipsec --proto esp --mode tunnel --tunnel-dst 10.0.0.0/8 --tunnel-src 1.2.3.4 ; OPAQUE
-m policy --dir in --pol ipsec --strict --mode tunnel --tunnel-src 10.1.2.3/8 ; = ; OPAQUE
-m policy --dir in --pol ipsec --strict --mode tunnel --tunnel-src 10.1.2.3 ; = ; OPAQUE
-m policy --dir in ; -m policy --dir in --pol ipsec ; OPAQUE
:ip filter INPUT
-m policy --pol ipsec ;  ; FAIL
-m policy --dir in --pol none --strict ;  ; FAIL
:ip6 filter FORWARD
-m policy --dir in --pol ipsec --strict --mode tunnel --tunnel-src fe80::1/10 ; = ; OPAQUE
