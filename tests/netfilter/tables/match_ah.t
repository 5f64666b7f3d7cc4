:ip filter INPUT
-p ah -m ah --ahspi 5:10 ; = ; OK
-p ah -m ah --ahspi 60:20 ; = ; OK
-m ah --ahspi 5 ;  ; FAIL
:ip6 filter INPUT
-m ah --ahspi 5 --ahlen 3 --ahres ; = ; OPAQUE
