:ip filter INPUT
-j SET --add-set foo src ; = ; OK ; needs an object or another hook
:ip mangle PREROUTING
-j SET --add-set S src ; = ; OK
-j SET --add-set S src,dst --exist --timeout 10 ; = ; OK
-j SET --del-set S src --add-set S dst ; -j SET --add-set S dst --del-set S src ; OK
-j SET --map-set S src --map-mark --map-prio --map-queue ; = ; OK ; needs an object or another hook
-j SET --add-set S src --exist ; = ; OK
-j SET ;  ; FAIL
-j SET --exist ;  ; FAIL
