:ip filter INPUT
-p esp --espspi 300:500 ; -p esp -m esp --espspi 300:500 ; OK
-p esp -m esp ! --espspi 5 ; = ; OK
-p esp -m esp --espspi 60:20 ; = ; OK
-p tcp -m esp --espspi 5 ;  ; FAIL
