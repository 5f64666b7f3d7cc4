:ip filter INPUT
-j ULOG ; = ; OK ; gone from kernels or not in this one
-j ULOG --ulog-prefix "x y" --ulog-nlgroup 5 --ulog-qthreshold 10 ; = ; OK ; gone from kernels or not in this one
:ip6 filter INPUT
-j ULOG ;  ; FAIL
