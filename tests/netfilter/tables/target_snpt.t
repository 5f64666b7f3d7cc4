:ip6 mangle POSTROUTING
-j SNPT --src-pfx fd00:1::5/48 --dst-pfx 2001:db8:1::/48 ;  ; FAIL
-j SNPT --src-pfx fd00:1::/48 ;  ; FAIL
:ip6 mangle POSTROUTING
-j SNPT --src-pfx fd00:1::/48 --dst-pfx 2001:db8:1::/48 ; = ; OPAQUE
