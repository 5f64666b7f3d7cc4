:ip6 filter INPUT
-m srh --srh-next-hdr 17 ! --srh-tag 5 ; = ; OPAQUE
-m srh --srh-psid fd00::1/64 ; = ; OPAQUE
