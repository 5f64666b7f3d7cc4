:ip filter FORWARD
-m cluster --cluster-total-nodes 4 --cluster-local-nodemask 0xa --cluster-hash-seed 1 ; -m cluster --cluster-local-nodemask 0x0000000a --cluster-total-nodes 4 --cluster-hash-seed 0x00000001 ; OPAQUE
-m cluster --cluster-total-nodes 4 ! --cluster-local-node 1 --cluster-hash-seed 1 ; -m cluster ! --cluster-local-nodemask 0x00000001 --cluster-total-nodes 4 --cluster-hash-seed 0x00000001 ; OPAQUE
:ip filter FORWARD
-m cluster --cluster-total-nodes 2 --cluster-local-node 3 --cluster-hash-seed 1 ;  ; FAIL
-m cluster ;  ; FAIL
