:ip filter INPUT
-p tcp -m multiport --dports http,443,1000:2000 ; -p tcp -m multiport --dports 80,443,1000:2000 ; OK
-p tcp -m multiport ! --destination-ports 80 --sports 22 ;  ; FAIL
-p tcp -m multiport --dports 80 -m multiport --sports 22 ; = ; OK
-p tcp -m multiport --dports 80,80:80 ;  ; FAIL
-p 6 -m multiport --ports ssh ; -p tcp -m multiport --ports 22 ; OK
-p icmp -m multiport --ports ssh ;  ; FAIL
! -p tcp -m multiport --ports ssh ;  ; FAIL
-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 ;  ; FAIL
-p tcp -m multiport --dports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16 ;  ; FAIL
-p tcp -m multiport --dports 5:3 ;  ; FAIL
-p tcp -m multiport --dports 80 --sport 5 ;  ; FAIL
-p tcp -m multiport --dport 80 ; -p tcp -m multiport --dports 80 ; OK
-p tcp -m multiport --dpo 80 ; -p tcp -m multiport --dports 80 ; OK
-p tcp -m multiport --sport 80 ; -p tcp -m multiport --sports 80 ; OK
-p tcp -m multiport --port 80 ; -p tcp -m multiport --ports 80 ; OK
-p tcp -m tcp -m multiport --dport 80 ;  ; FAIL
-m multiport --dports 80 ;  ; FAIL
