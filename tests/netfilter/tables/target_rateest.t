:ip filter FORWARD
-j RATEEST --rateest-name RE1 --rateest-interval 1s --rateest-ewmalog 2s ; -j RATEEST --rateest-name RE1 --rateest-interval 1.0s --rateest-ewmalog 2.0s ; OK
-j RATEEST --rateest-name R9 --rateest-interval 500ms --rateest-ewmalog 1s ; -j RATEEST --rateest-name R9 --rateest-interval 500.0ms --rateest-ewmalog 1.0s ; OK
:ip raw PREROUTING
-j RATEEST --rateest-name x ;  ; FAIL
