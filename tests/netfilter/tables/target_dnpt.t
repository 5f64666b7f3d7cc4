:ip6 mangle PREROUTING
-j DNPT --src-pfx fd00:1::/48 --dst-pfx 2001:db8:1::/48 ; = ; OPAQUE
-j DNPT --src-pfx fd00:1::/96 --dst-pfx 2001:db8:1::/96 ;  ; FAIL
