:ip filter INPUT
-m owner --uid-owner 0 ; = ; OK ; needs an object or another hook
:ip filter OUTPUT
-m owner --uid-owner 5-3 ;  ; FAIL
-m owner --gid-owner daemon ; -m owner --gid-owner 1 ; OK
-m owner ! --socket-exists ; = ; OK
-m owner --uid-owner 1337 ! --gid-owner 1337 ; = ; OK
-m owner --uid-owner 1000-2000 ; = ; OK
-m owner ;  ; FAIL
-m owner --uid-owner istio-proxy ;  ; FAIL
