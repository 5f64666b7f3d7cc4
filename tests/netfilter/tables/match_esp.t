:ip filter INPUT
-p esp -m esp --espspi 500:300 ;  ; FAIL ; 1.8.9 takes it
:ip filter INPUT
-p esp --espspi 300:500 ; -p esp -m esp --espspi 300:500 ; OK
-p esp -m esp ! --espspi 5 ; = ; OK
-p tcp -m esp --espspi 5 ;  ; FAIL
