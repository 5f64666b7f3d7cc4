:ip filter FORWARD
-m physdev ! --physdev-in lo ! --physdev-is-bridged ; = ; OK
-m physdev --physdev-is-in ; = ; OK
-m physdev --physdev-out eth+ --physdev-is-bridged ; = ; OK
-m physdev ;  ; FAIL
-m physdev --physdev-in averylongbridgeport ;  ; FAIL
