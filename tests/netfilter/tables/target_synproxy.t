:ip filter INPUT
-p tcp -j SYNPROXY --mss 1460 ; = ; OPAQUE
-p tcp -m conntrack --ctstate INVALID -j SYNPROXY --ecn --mss 1460 --wscale 7 --timestamp ; -p tcp -m conntrack --ctstate INVALID -j SYNPROXY --timestamp --wscale 7 --mss 1460 --ecn ; OPAQUE
-j SYNPROXY --mss 5 ;  ; FAIL
-p tcp -j SYNPROXY --wscale 15 ; = ; OPAQUE
