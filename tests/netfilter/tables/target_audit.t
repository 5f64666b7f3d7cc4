:ip filter INPUT
-j AUDIT --type accept ; = ; OK
-j AUDIT --type DROP ; -j AUDIT --type drop ; OK
-j AUDIT ;  ; FAIL
