:ip filter FORWARD
-p udplite --dport 5 ;  ; FAIL
-j QUEUE ; = ; OK ; back ends differ
:ip filter INPUT
-s ! 1.2.3.4 -j ACCEPT ; ! -s 1.2.3.4/32 -j ACCEPT ; OK ; notation of old versions
-p 6 ; -p tcp ; OK
-p 200 ; = ; OK
-p all ;  ; OK
-p icmp ; = ; OK
-f -j DROP ; = ; OK
! -f -j DROP ; = ; OK
-g FOO ; = ; OK
-j FOO ; = ; OK
-s 1.2.3.0/24 -d 0/0 ; -s 1.2.3.0/24 ; OK
-s 10/8 ; -s 10.0.0.0/8 ; OK
-s 1.2.3.4/0 ;  ; OK
! -s 0.0.0.0/0 ; = ; OK ; back ends differ
-p tcp -p udp ;  ; FAIL
-j ACCEPT -j DROP ;  ; FAIL
-s 1.2.3.4 -s 1.2.3.5 ;  ; FAIL
! -s 1.2.3.4,1.2.3.5 ;  ; FAIL
-j nosuch ; = ; OK ; needs an object or another hook
-j ;  ; FAIL
foo ;  ; FAIL
! -j ACCEPT ;  ; FAIL
--dport 3 ;  ; FAIL
-o eth0 ; = ; OK ; needs an object or another hook
-4 -j ACCEPT ; -j ACCEPT ; OK
-6 -j ACCEPT ;  ; FAIL ; 1.8.9 takes it
-i eth0: -j ACCEPT ; = ; OK
-i "a b" -j ACCEPT ; -i a b -j ACCEPT ; OK ; printed without the quotes it needs
-i "" -j ACCEPT ;  ; FAIL
-c 5 6 -j ACCEPT ; -j ACCEPT ; OK
-n -v -j ACCEPT ;  ; FAIL
-w -j ACCEPT ;  ; FAIL
-p 0x6 ; -p tcp ; OK
-s 1.2.3.4/33 ;  ; FAIL
-s 1.2.3.4/255.255.255.0 ; -s 1.2.3.0/24 ; OK
-s localhost ; -s 127.0.0.1/32 ; OK
-s 0x7f000001 ; -s 127.0.0.1/32 ; OK
-s 1.2.3 ; -s 1.2.3.0/32 ; OK
-s 1.2 ; -s 1.2.0.0/32 ; OK
-i eth0+foo -j ACCEPT ; = ; OK
! -i eth+ -j ACCEPT ; = ; OK
-i eth/0 ; = ; OK
-s 1.2.3.4/255.255.255 ;  ; FAIL
-s 1.2.3.4/ ;  ; FAIL
-s /24 ;  ; FAIL
-p "" ;  ; FAIL
-p 256 ;  ; FAIL
-p ip ;  ; OK
-p 0 ;  ; OK
-p ipv6-icmp ; = ; OK
-p 135 ; -p mobility-header ; OK
-p 4 ; -p ipencap ; OK
! ! -s 1.2.3.4 ;  ; FAIL
-s 1.2.3.4 ! ;  ; FAIL
-p esp --espspi 300:500 ; -p esp -m esp --espspi 300:500 ; OK
:ip nat PREROUTING
-j DROP ; = ; OK ; needs an object or another hook
:ip6 filter INPUT
-s ::/0 -d fe80::1/10 ; -d fe80::/10 ; OK
! -s ::/0 ; = ; OK ; back ends differ
-s ::ffff:1.2.3.4 ; -s ::ffff:1.2.3.4/128 ; OK
-4 -j ACCEPT ;  ; FAIL ; 1.8.9 takes it
-s fe80::1/ffff:: ; -s fe80::/16 ; OK
-s fe80::1/ff00:ff:: ; -s fe00::/ff00:ff:: ; OK
-p icmp ; = ; OK
-f ;  ; FAIL
-p mh --mh-type binding-update ; -p mobility-header -m mh --mh-type 5 ; OK
:ip filter INPUT
-m layer7 --l7proto "skype to skype" ! --x 5 -s 1.2.3.4 -j ACCEPT ; -s 1.2.3.4/32 -m layer7 --l7proto "skype to skype" ! --x 5 -j ACCEPT ; OPAQUE ; unknown here
-p tcp -j NOSUCHTARGET --with 5 --dport 80 ; -p tcp -m tcp --dport 80 -j NOSUCHTARGET --with 5 ; OPAQUE ; unknown here
-s node.example.org -j ACCEPT ;  ; FAIL
-m comment --comment "never closed ;  ; FAIL ; 1.8.9 takes it
