:ip filter FORWARD
-j NFLOG --nflog-prefix "a b" --nflog-group 3 ; = ; OK
-j NFLOG --nflog-size 5 --nflog-threshold 20 --nflog-group 1 --nflog-prefix x ; -j NFLOG --nflog-prefix x --nflog-group 1 --nflog-size 5 --nflog-threshold 20 ; OK
:ip filter INPUT
-j NFLOG --nflog-prefix "" ;  ; FAIL
:ip mangle FORWARD
-j NFLOG --nflog-threshold 0 ; -j NFLOG ; OK
-j NFLOG --nflog-size 0 --nflog-range 3 ;  ; FAIL
