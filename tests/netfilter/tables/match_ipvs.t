:ip filter INPUT
-m ipvs --ipvs ; = ; OPAQUE ; gone from kernels or not in this one
-m ipvs --vproto tcp --vport 80 --vdir REPLY ; -m ipvs --vproto 6 --vport 80 --vdir REPLY ; OPAQUE ; gone from kernels or not in this one
-m ipvs ;  ; FAIL
