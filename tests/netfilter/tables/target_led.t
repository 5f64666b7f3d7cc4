:ip filter FORWARD
-j LED --led-trigger-id "a b" --led-delay inf ; = ; OK ; gone from kernels or not in this one
-j LED --led-delay 5 ;  ; FAIL
