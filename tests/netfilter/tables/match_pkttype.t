:ip filter FORWARD
-m pkttype ! --pkt-type host ; -m pkttype ! --pkt-type unicast ; OK
-m pkttype --pkt-type bcast ; -m pkttype --pkt-type broadcast ; OK
:ip filter INPUT
-m pkttype --pkt-type mcast ; -m pkttype --pkt-type multicast ; OK
:ip filter INPUT
-m pkttype --pkt-type wrong ;  ; FAIL
-m pkttype ;  ; FAIL
