:ip filter INPUT
-m cpu --cpu 0 ; = ; OK
-m cpu ! --cpu 1 ; = ; OK
-m cpu --cpu x ;  ; FAIL
