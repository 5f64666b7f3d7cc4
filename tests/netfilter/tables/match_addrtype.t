:ip filter INPUT
-m addrtype --dst-type local,broadcast ; -m addrtype --dst-type LOCAL,BROADCAST ; OK
-m addrtype ! --dst-type BROADCAST,LOCAL ; -m addrtype ! --dst-type LOCAL,BROADCAST ; OK
-m addrtype ! --src-type LOCAL ! --dst-type MULTICAST --limit-iface-in ; = ; OK
-m addrtype --dst-type loc ; -m addrtype --dst-type LOCAL ; OK
-m addrtype ;  ; FAIL
:ip6 filter INPUT
-m addrtype --dst-type LOCAL ; = ; OK
:ip6 filter INPUT
-m addrtype --dst-type UNICAST,BROADCAST ;  ; FAIL
-m addrtype ! --src-type MULTICAST ; = ; OK
