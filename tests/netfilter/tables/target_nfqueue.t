:ip filter INPUT
-j NFQUEUE --queue-balance 1:3 --queue-bypass ; = ; OK
-j NFQUEUE --queue-num 3 --queue-cpu-fanout ;  ; FAIL
:ip mangle INPUT
-j NFQUEUE --queue-num 1 --queue-balance 1:2 ;  ; FAIL
