:ip filter FORWARD
-m conntrack --ctorigsrc 10.0.0.0/8 ! --ctorigdst 1.2.3.4 --ctrepldst 1.1.1.1/255.0.255.0 ; = ; OK ; 1.8.9 prints it wrongly
-m conntrack --ctstate new,related ; -m conntrack --ctstate NEW,RELATED ; OK
-m conntrack ! --ctstatus ASSURED,CONFIRMED ; = ; OK
-m conntrack --ctproto udp --ctexpire 5: --ctdir original ; -m conntrack --ctproto 17 --ctexpire 5:4294967295 --ctdir ORIGINAL ; OK
-m conntrack --ctstate NEW --ctdir REPLY --ctproto 17 --ctstatus SEEN_REPLY --ctexpire 1:2 --ctorigsrcport 5 --ctorigsrc 1.1.1.1 ; -m conntrack --ctstate NEW --ctproto 17 --ctorigsrc 1.1.1.1 --ctorigsrcport 5 --ctstatus SEEN_REPLY --ctexpire 1:2 --ctdir REPLY ; OK
-m conntrack --ctorigsrc 10.1.2.3/8 ; = ; OK
-m conntrack --ctorigsrc 10.1.2.3/0 ; = ; OK
:ip filter INPUT
-m conntrack --ctstate RELATED,ESTABLISHED ; = ; OK
-m conntrack ! --ctstate DNAT,NEW ; -m conntrack ! --ctstate NEW,DNAT ; OK
-p udp -m conntrack --ctstate NEW -m udp --dport 5 -m conntrack --ctstate DNAT ; = ; OK
:ip6 filter FORWARD
-m conntrack --ctorigsrc fe80::1/10 ; = ; OK
:ip filter INPUT
-m conntrack --ctstate WRONG ;  ; FAIL
-m conntrack ;  ; FAIL
-m conntrack --ctproto 300 ;  ; FAIL
-m conntrack ! --ctorigdstport 60:20 ; = ; OK
-m conntrack --ctexpire 60:20 ; = ; OK
