:ip6 filter INPUT
-m rt --rt-type 0 --rt-0-addrs fe80::1,fe80::2 ; = ; OPAQUE
-m rt --rt-type 0 --rt-0-addrs fe80::1 --rt-0-not-strict ; = ; OPAQUE
-m rt ! --rt-type 2 --rt-segsleft 1: ; -m rt ! --rt-type 2 --rt-segsleft 1:4294967295 ; OPAQUE
-m rt --rt-0-res ;  ; FAIL
