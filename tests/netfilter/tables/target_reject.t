:ip filter INPUT
-j REJECT --reject-with tcp-reset ;  ; FAIL
-p tcp -j REJECT --reject-with tcp-reset ; = ; OK
-p tcp -j REJECT --reject-with net-unreach ; -p tcp -j REJECT --reject-with icmp-net-unreachable ; OK
-p tcp -j REJECT --reject-with icmp ; -p tcp -j REJECT --reject-with icmp-net-unreachable ; OK
-j REJECT --reject-with nonsense ;  ; FAIL
:ip6 filter INPUT
-j REJECT ; -j REJECT --reject-with icmp6-port-unreachable ; OK
-j REJECT --reject-with adm-prohibited ; -j REJECT --reject-with icmp6-adm-prohibited ; OK
-p tcp -j REJECT --reject-with tcp-reset ; = ; OK
