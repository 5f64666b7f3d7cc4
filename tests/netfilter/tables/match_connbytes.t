:ip filter INPUT
-m connbytes --connbytes 0:1000 --connbytes-mode packets --connbytes-dir original ; = ; OPAQUE
-m connbytes ! --connbytes 5 --connbytes-mode avgpkt --connbytes-dir both ; = ; OPAQUE
-m connbytes --connbytes 5: --connbytes-mode bytes --connbytes-dir reply ; -m connbytes --connbytes 5 --connbytes-mode bytes --connbytes-dir reply ; OPAQUE
-m connbytes --connbytes 5:4 --connbytes-mode bytes --connbytes-dir reply ;  ; FAIL
-m connbytes --connbytes :4 --connbytes-mode bytes --connbytes-dir reply ; -m connbytes --connbytes 0:4 --connbytes-mode bytes --connbytes-dir reply ; OPAQUE
-m connbytes --connbytes 5 ;  ; FAIL
-m connbytes --connbytes 5:5 --connbytes-mode BYTES --connbytes-dir reply ;  ; FAIL
