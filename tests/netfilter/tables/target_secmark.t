:ip security FORWARD
-j SECMARK --selctx a:b:c ; = ; OK ; needs an object or another hook
-j SECMARK ;  ; FAIL
