:ip filter INPUT
-j TEE --gateway 1.2.3.4 --oif eth0 ; = ; OK
-j TEE ;  ; FAIL
:ip6 filter INPUT
-j TEE --gateway fe80::1 ; = ; OK
