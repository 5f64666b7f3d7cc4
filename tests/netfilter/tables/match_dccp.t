:ip filter FORWARD
-p dccp -m dccp --dccp-type REQUEST ; -p dccp -m dccp --dccp-types REQUEST ; OK
-p dccp --dport 5 ! --dccp-option 4 ; -p dccp -m dccp --dport 5 ! --dccp-option 4 ; OK
-p dccp --dport 60:20 ; -p dccp -m dccp --dport 60:20 ; OK
:ip filter INPUT
-m dccp --dport 5 ;  ; FAIL
