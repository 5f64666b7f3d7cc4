:ip filter FORWARD
-j IDLETIMER --timeout 5 --label x ; = ; OK
-j IDLETIMER --label x ;  ; FAIL
-j IDLETIMER --timeout 7 --label y --alarm ; = ; OK
