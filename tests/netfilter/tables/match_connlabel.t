:ip filter INPUT
-m connlabel --label 40 ; -m connlabel --label "40" ; OPAQUE
-m connlabel ! --label 40 --set ; -m connlabel ! --label "40" --set ; OPAQUE
-m connlabel --set ;  ; FAIL
