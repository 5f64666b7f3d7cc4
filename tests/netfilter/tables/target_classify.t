:ip filter INPUT
-j CLASSIFY --set-class 1:1 ; -j CLASSIFY --set-class 0001:0001 ; OK ; needs an object or another hook
:ip mangle FORWARD
-j CLASSIFY --set-class 1:10 ; -j CLASSIFY --set-class 0001:0010 ; OK
-j CLASSIFY --set-class 1: ;  ; FAIL
-j CLASSIFY --set-class abc:d ; -j CLASSIFY --set-class 0abc:000d ; OK
-j CLASSIFY --set-class 1 ;  ; FAIL
