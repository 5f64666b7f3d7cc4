:ip6 filter INPUT
-m hbh --hbh-len 42 --hbh-opts 1:2,23:42 ; = ; OPAQUE
-m hbh ! --hbh-opts 5 ;  ; FAIL
