:ip nat POSTROUTING
-p tcp -j MASQUERADE --to-ports 100-100 ; -p tcp -j MASQUERADE --to-ports 100 ; OK
-p tcp -j MASQUERADE --to-ports 100 --random --random-fully ; = ; OK
-p tcp -j MASQUERADE --to-ports 200-100 ;  ; FAIL
-p tcp -j MASQUERADE --to-ports 0 ; = ; OK
-j MASQUERADE --to-ports 5 ;  ; FAIL
-p icmp -j MASQUERADE --to-ports 5 ; = ; OK
! -p tcp -j MASQUERADE --to-ports 5 ;  ; FAIL ; 1.8.9 takes it
-p dccp -j MASQUERADE --to-ports 5 ; = ; OK
-p udplite -j MASQUERADE --to-ports 5 ;  ; FAIL
:ip nat PREROUTING
-j MASQUERADE ; = ; OK ; needs an object or another hook
:ip6 nat POSTROUTING
-p tcp -j MASQUERADE --to-ports 100-200 --random ; = ; OK
