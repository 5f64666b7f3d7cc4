:ip filter FORWARD
-m nfacct --nfacct-name foo ; = ; OPAQUE ; needs an object or another hook
:ip filter INPUT
-m nfacct ;  ; FAIL
