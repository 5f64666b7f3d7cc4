:ip filter FORWARD
-m connlimit --connlimit-above 3 --connlimit-mask 255.255.255.0 ; -m connlimit --connlimit-above 3 --connlimit-mask 24 --connlimit-saddr ; OPAQUE
-m connlimit ! --connlimit-above 3 --connlimit-mask 24 --connlimit-daddr ; -m connlimit --connlimit-upto 3 --connlimit-mask 24 --connlimit-daddr ; OPAQUE
:ip filter INPUT
-m connlimit --connlimit-above 3 --connlimit-mask 33 ; -m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr ; OPAQUE
-m connlimit ;  ; FAIL
:ip6 filter INPUT
-m connlimit --connlimit-upto 5 --connlimit-mask 64 ; -m connlimit --connlimit-upto 5 --connlimit-mask 64 --connlimit-saddr ; OPAQUE
