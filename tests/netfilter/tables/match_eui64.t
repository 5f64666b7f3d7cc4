:ip filter INPUT
-m eui64 ;  ; FAIL
:ip6 filter INPUT
-m eui64 ; = ; OPAQUE
