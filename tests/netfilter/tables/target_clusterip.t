:ip filter INPUT
-d 1.2.3.4 -i eth0 -j CLUSTERIP --new --hashmode sourceip --clustermac 01:23:45:67:89:AB --total-nodes 2 --local-node 1 ; -d 1.2.3.4/32 -i eth0 -j CLUSTERIP --new --hashmode sourceip --clustermac 01:23:45:67:89:AB --total-nodes 2 --local-node 1 ; OPAQUE ; gone from kernels or not in this one
-d 1.2.3.4/32 -i eth0 -j CLUSTERIP ; = ; OPAQUE ; gone from kernels or not in this one
-d 1.2.3.4/32 -i eth0 -j CLUSTERIP --total-nodes 20 ;  ; FAIL
