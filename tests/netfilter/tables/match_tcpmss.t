:ip filter INPUT
-p tcp -m tcpmss --mss 500:1000 ; = ; OK
-p tcp -m tcpmss ! --mss 536 ; = ; OK
-m tcpmss --mss 5 ;  ; FAIL
