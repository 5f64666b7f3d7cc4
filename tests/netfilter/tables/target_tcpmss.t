:ip mangle FORWARD
-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu ; -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --clamp-mss-to-pmtu ; OK
-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1400 ; = ; OK
-j TCPMSS --clamp-mss-to-pmtu ;  ; FAIL
-p tcp -j TCPMSS --clamp-mss-to-pmtu ; = ; OK ; back ends differ
-p tcp --syn -j TCPMSS ;  ; FAIL
-p tcp --syn -j TCPMSS --set-mss 65496 ; -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --set-mss 65496 ; OK
-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 0 ; -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 0 ; OK
