:ip nat POSTROUTING
-j NETMAP ;  ; FAIL
:ip nat PREROUTING
-j NETMAP --to 10.0.0.5/24 ; -j NETMAP --to 10.0.0.0/24 ; OK
-j NETMAP --to 10.0.0.5/255.255.0.255 ; = ; OK ; 1.8.9 prints it wrongly
:ip6 nat PREROUTING
-j NETMAP --to 2001:db8::5/64 ; -j NETMAP --to 2001:db8::/64 ; OK
