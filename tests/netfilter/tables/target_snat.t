:ip nat POSTROUTING
-j SNAT --to-source 1.2.3.4 --random-fully ; = ; OK
-j SNAT --to-source 1.2.3.4-1.2.3.10 --persistent --random ; -j SNAT --to-source 1.2.3.4-1.2.3.10 --random --persistent ; OK
-p tcp -j SNAT --to-source 1.2.3.4:100-200 ; = ; OK
-p tcp -j SNAT --to-source :100-200 ; = ; OK
-p tcp -j SNAT --to :100 ; -p tcp -j SNAT --to-source :100 ; OK
-p tcp -j SNAT --to-source 1.2.3.4:100-100 ; -p tcp -j SNAT --to-source 1.2.3.4:100 ; OK
-p tcp -j SNAT --to-source 1.2.3.4:0 ; = ; OK
-p tcp -j SNAT --to-source 1.2.3.4:ssh ; -p tcp -j SNAT --to-source 1.2.3.4:22 ; OK
-j SNAT --to-source 1.2.3.9-1.2.3.4 ; = ; OK
-j SNAT --to-source 1.2.3.4/24 ;  ; FAIL
-j SNAT --to-source 1.2.3.256 ;  ; FAIL
-p tcp -j SNAT --to-source 1.2.3.4:http-https ;  ; FAIL
-j SNAT ;  ; FAIL
:ip6 nat POSTROUTING
-p udp -j SNAT --to-source [fd00::1-fd00::9]:1000-2000 --persistent ; = ; OK
