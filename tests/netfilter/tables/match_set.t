:ip filter INPUT
-m set --match-set foo src ; = ; OK ; needs an object or another hook
-m set --match-set S src ; = ; OK
-m set ! --match-set S src,dst ; = ; OK
-m set --match-set S src --return-nomatch ! --update-counters --packets-gt 5 ! --bytes-eq 7 ; = ; OK
-m set --match-set S src ! --update-subcounters --packets-lt 5 --bytes-gt 7 ; = ; OK
-m set --set S src ; -m set --match-set S src ; OK
:ip filter INPUT
-m set --match-set S ;  ; FAIL
-m set --match-set S left ;  ; FAIL
-m set ;  ; FAIL
