:ip6 filter INPUT
-m ipv6header --header dst,hop,route ; -m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route ; OPAQUE
-m ipv6header ! --header esp,ah,frag,none,proto ;  ; FAIL
-m ipv6header ! --header esp,ah,frag,none,prot --soft ; -m ipv6header ! --header ipv6-frag,ah,esp,ipv6-nonxt,protocol --soft ; OPAQUE
-m ipv6header --header protocol,auth ; -m ipv6header --header ah,protocol ; OPAQUE
-m ipv6header ;  ; FAIL
