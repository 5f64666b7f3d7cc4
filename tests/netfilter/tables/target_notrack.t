:ip raw PREROUTING
-j NOTRACK ; = ; OK
-j NOTRACK --zone 5 ;  ; FAIL
-j NOTRACK --foo ;  ; FAIL
