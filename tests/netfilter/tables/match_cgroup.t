:ip filter INPUT
-m cgroup --cgroup 5 ; = ; OK
:ip filter OUTPUT
-m cgroup --cgroup 0x10001 ; -m cgroup --cgroup 65537 ; OK
-m cgroup ! --path "/kube pods/x" ; = ; OPAQUE ; needs an object or another hook
-m cgroup --cgroup 5 --path /x ;  ; FAIL
