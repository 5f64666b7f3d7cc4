:ip nat PREROUTING
-p tcp -j DNAT --to-destination :80 ; = ; OK
-p tcp -j DNAT --to-destination 1.2.3.4:80-80 ; -p tcp -j DNAT --to-destination 1.2.3.4:80 ; OK
-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.4 ; -p tcp -j DNAT --to-destination 1.2.3.4 ; OK
-p tcp -j DNAT --to-destination 1.2.3.4 --random --persistent ; = ; OK
-p tcp -j DNAT --to-destination 1.2.3.4:0 ; = ; OK
-p tcp -j DNAT --to-destination 1.2.3.4:200-100 ;  ; FAIL
-p tcp -j DNAT --to-destination 1.2.3.4:100/5 ;  ; FAIL
-p tcp -j DNAT --to-destination 1.2.3.4: ;  ; FAIL
-p tcp -j DNAT --to-destination 1.2.3 ;  ; FAIL
-p tcp -j DNAT --to 1.2.3.4:80 --random ; -p tcp -j DNAT --to-destination 1.2.3.4:80 --random ; OK
-j DNAT ;  ; FAIL
-j DNAT --to-destination 1.2.3.4:80 ;  ; FAIL
:ip6 nat PREROUTING
-p tcp -j DNAT --to-destination [dead::beef]:80 ; = ; OK
-j DNAT --to-destination dead::beef ; = ; OK
-j DNAT --to-destination [dead::beef] ; -j DNAT --to-destination dead::beef ; OK
-j DNAT --to-destination [dead::beef]-[dead::bef1] ;  ; FAIL
-p tcp -j DNAT --to-destination [dead::beef]:80-90 ; = ; OK
-p tcp -j DNAT --to-destination :80 ; = ; OK
