:ip filter FORWARD
-m realm --realm 5 ; -m realm --realm 0x5 ; OK
-m realm ! --realm 10/0xff ; -m realm ! --realm 0xa/0xff ; OK
:ip filter INPUT
-m realm --realm foo ;  ; FAIL
-m realm ;  ; FAIL
:ip6 mangle PREROUTING
-m realm --realm 3 ;  ; FAIL
