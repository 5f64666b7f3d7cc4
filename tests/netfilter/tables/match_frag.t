:ip6 filter INPUT
-m frag --fragid 3 --fraglen 5 ! --fragres --fragmore ;  ; FAIL
-m frag --fragfirst ; = ; OPAQUE
-m frag --fraglast --fragmore ;  ; FAIL
