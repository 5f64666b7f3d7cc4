:ip nat PREROUTING
-j REDIRECT ; = ; OK
-p tcp -j REDIRECT --to-ports 80 --random ; = ; OK
-p udp -j REDIRECT --to-port 53 ; -p udp -j REDIRECT --to-ports 53 ; OK
-p udp -j REDIRECT --to-ports 53-40 ;  ; FAIL
-p udp -j REDIRECT --to-ports domain ; -p udp -j REDIRECT --to-ports 53 ; OK
:ip6 nat PREROUTING
-p tcp -j REDIRECT --to-ports 80-90 ; = ; OK
