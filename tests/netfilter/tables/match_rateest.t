:ip filter INPUT
-m rateest --rateest RE1 --rateest-lt --rateest-bps 5kbit ; -m rateest --rateest RE1 --rateest-lt --rateest-bps 5000bit ; OPAQUE ; needs an object or another hook
-m rateest --rateest1 RE1 --rateest-gt --rateest-pps --rateest2 RE2 ; = ; OPAQUE ; needs an object or another hook
-m rateest --rateest RE1 ;  ; FAIL
