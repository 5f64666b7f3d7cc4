:ip raw OUTPUT
-p udp -j TRACE ; = ; OK
:ip raw PREROUTING
-j TRACE ; = ; OK
-j TRACE --x ;  ; FAIL
