:ip6 filter INPUT
-p mh -m mh --mh-type bu:be ; -p mobility-header -m mh --mh-type 5:7 ; OK
-m mh --mh-type 1 ;  ; FAIL
