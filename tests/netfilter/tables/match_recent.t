:ip filter INPUT
-m recent --name foo --update --seconds 60 --hitcount 4 --rttl --rdest --mask 255.255.255.0 ; -m recent --update --seconds 60 --hitcount 4 --rttl --name foo --mask 255.255.255.0 --rdest ; OPAQUE
-m recent ! --rcheck --seconds 60 --reap ; -m recent ! --rcheck --seconds 60 --reap --name DEFAULT --mask 255.255.255.255 --rsource ; OPAQUE
-m recent --remove --name a ; -m recent --remove --name a --mask 255.255.255.255 --rsource ; OPAQUE
-m recent --set --name "a b" ; -m recent --set --name a b --mask 255.255.255.255 --rsource ; OPAQUE ; printed without the quotes it needs
-m recent --set --seconds 5 ;  ; FAIL
-m recent --set --reap ;  ; FAIL
-m recent --rcheck --hitcount 300 --name hc ; -m recent --rcheck --hitcount 300 --name hc --mask 255.255.255.255 --rsource ; OPAQUE
-m recent --name x ;  ; FAIL
:ip6 filter INPUT
-m recent --set --name v6 ; -m recent --set --name v6 --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource ; OPAQUE
