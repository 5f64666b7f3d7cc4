:ip filter INPUT
-m iprange --src-range 1.1.1.1-2.2.2.2 ! --dst-range 3.3.3.3-4.4.4.4 ; = ; OK
-m iprange --src-range 1.1.1.1 ; -m iprange --src-range 1.1.1.1-1.1.1.1 ; OK
-m iprange --src-range 3.1.1.1-2.2.2.2 ; = ; OK
-m iprange ;  ; FAIL
:ip6 filter INPUT
-m iprange ! --src-range fe80::1-fe80::f ; = ; OK
