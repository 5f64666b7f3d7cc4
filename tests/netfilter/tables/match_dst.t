:ip filter INPUT
-m dst --dst-len 5 ;  ; FAIL
:ip6 filter INPUT
-m dst --dst-opts 1,2,3:4 ; = ; OPAQUE
-m dst --dst-len 5 ; = ; OPAQUE
