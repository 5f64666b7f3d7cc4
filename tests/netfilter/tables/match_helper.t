:ip filter INPUT
-m helper --helper "" ; = ; OPAQUE
-m helper ! --helper ftp-21 ; = ; OPAQUE
-m helper ;  ; FAIL
