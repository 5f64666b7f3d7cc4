:ip filter INPUT
-m bpf --bytecode "1,6 0 0 1" ; = ; OPAQUE
-m bpf --bytecode "4, 48 0 0 9, 21 0 1 6, 6 0 0 1, 6 0 0 0" ; -m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0" ; OPAQUE
-m bpf --bytecode "2,6 0 0 1" ;  ; FAIL
-m bpf ;  ; FAIL
