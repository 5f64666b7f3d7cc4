:ip filter INPUT
-m osf --genre x ;  ; FAIL
-p tcp -m osf --genre x --ttl 2 ; = ; OPAQUE
-p tcp -m osf ! --genre x --log 2 ; = ; OPAQUE
-p tcp -m osf --genre Linux --ttl 3 ;  ; FAIL
