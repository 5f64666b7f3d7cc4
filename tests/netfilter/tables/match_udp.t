:ip filter INPUT
-p tcp -m udp --dport 3 ;  ; FAIL
-p udp --sport 67:68 --dport bootps ; -p udp -m udp --sport 67:68 --dport 67 ; OK
-p udp ! --dport 53 ; -p udp -m udp ! --dport 53 ; OK
-p udp --dport 60000:29 ; -p udp -m udp --dport 60000:29 ; OK
-p udp ! --sport 60000:29 ; -p udp -m udp ! --sport 60000:29 ; OK
-m udp --dport 53 ;  ; FAIL
