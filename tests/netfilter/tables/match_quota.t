:ip filter INPUT
-m quota --quota 1000 ; = ; OPAQUE
-m quota ! --quota 10 ; = ; OPAQUE
-m quota ;  ; FAIL
