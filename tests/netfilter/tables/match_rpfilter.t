:ip raw PREROUTING
-m rpfilter --invert ; = ; OPAQUE
-m rpfilter --accept-local --loose ; -m rpfilter --loose --accept-local ; OPAQUE
