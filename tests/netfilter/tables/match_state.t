:ip filter INPUT
-m state --state ESTABLISHED,RELATED ; -m state --state RELATED,ESTABLISHED ; OK
-m state --state NEW -m state --state ESTABLISHED ; = ; OK
-m state --state ;  ; FAIL
