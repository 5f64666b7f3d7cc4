:ip filter INPUT
-p tcp --dport 80 -j ACCEPT ; -p tcp -m tcp --dport 80 -j ACCEPT ; OK
-p tcp -m tcp ; = ; OK
-p tcp --dport ! 80 ; -p tcp -m tcp ! --dport 80 ; OK ; notation of old versions
-p tcp -m tcp --dport ! 80 ; -p tcp -m tcp ! --dport 80 ; OK ; notation of old versions
-p tcp -m tcp --dport http -m comment --comment x -m tcp --sport 5 ; -p tcp -m tcp --dport 80 -m comment --comment x -m tcp --sport 5 ; OK ; back ends differ
-p tcp --dport 80 --dport 81 ;  ; FAIL
-m tcp --dport 5 -p tcp ; -p tcp -m tcp --dport 5 ; OK
-p tcp --destination-p 80 ; -p tcp -m tcp --dport 80 ; OK
-p tcp --dport=80 ; -p tcp -m tcp --dport 80 ; OK
! -p tcp --dport 3 ;  ; FAIL ; back ends differ
-p tcp --icmp-type 3 ;  ; FAIL
-p tcp --dport 0x50 ; -p tcp -m tcp --dport 80 ; OK
-p tcp --dport 080 ;  ; FAIL
-p tcp --dport 60000:29 ;  ; FAIL
-m tcp -p tcp --dport 80 ; -p tcp -m tcp --dport 80 ; OK
:ip mangle FORWARD
-p tcp --tcp-flags ALL NONE ; -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE ; OK
-p tcp --tcp-flags ALL SYN,ACK --tcp-option 7 ; -p tcp -m tcp --tcp-option 7 --tcp-flags FIN,SYN,RST,PSH,ACK,URG SYN,ACK ; OK
-p tcp ! --syn ; -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN ; OK
-p tcp --dport 08 ;  ; FAIL
-p tcp --dport 010 ; -p tcp -m tcp --dport 8 ; OK
