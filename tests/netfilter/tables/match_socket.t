:ip filter INPUT
-m socket --restore-skmark ; = ; OPAQUE
-m socket --foo ;  ; FAIL
:ip mangle PREROUTING
-m socket ; = ; OPAQUE
-m socket --transparent --nowildcard --restore-skmark ; = ; OPAQUE
-m socket --nowildcard --transparent ; -m socket --transparent --nowildcard ; OPAQUE
