:ip filter INPUT
-p ipcomp -m ipcomp --ipcompspi 3:5 ; = ; OK
-p ipcomp -m ipcomp --ipcompspi 3: --compres ; -p ipcomp -m ipcomp --ipcompspi 3:4294967295 --compres ; OPAQUE
-p ipcomp -m ipcomp --ipcompspi 3:3 ; -p ipcomp -m ipcomp --ipcompspi 3 ; OK
-p ipcomp -m ipcomp --ipcompspi 60:20 ; = ; OK
-p ipcomp -m ipcomp ! --ipcompspi : ; -p ipcomp -m ipcomp ! --ipcompspi 0:4294967295 ; OK ; 1.8.9 prints it wrongly
-m ipcomp ;  ; FAIL
