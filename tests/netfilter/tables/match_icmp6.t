:ip6 filter INPUT
-p icmpv6 --icmpv6-type echo-request ; -p ipv6-icmp -m icmp6 --icmpv6-type 128 ; OK
-p icmpv6 -m icmpv6 --icmpv6-type 1/4 ; -p ipv6-icmp -m icmp6 --icmpv6-type 1/4 ; OK
-p ipv6-icmp --icmpv6-type neighbour-solicitation ; -p ipv6-icmp -m icmp6 --icmpv6-type 135 ; OK
-p icmpv6 -m icmp6 ! --icmpv6-type 1 ; -p ipv6-icmp -m icmp6 ! --icmpv6-type 1 ; OK
-m icmp6 --icmpv6-type 1 ;  ; FAIL
-p 58 --icmpv6-type 255 ; -p ipv6-icmp -m icmp6 --icmpv6-type 255 ; OK
-p icmpv6 --icmpv6-type any ;  ; FAIL
-p icmpv6 --icmpv6-type mld-listener-query ; -p ipv6-icmp -m icmp6 --icmpv6-type 130 ; OK ; needs an object or another hook
