"""Names of protocols, ports, users and groups: what `/etc` of a usual node says, so that nothing is read from here."""

from functools import cache

from planner.netfilter.problem import NodeDependentError

PROTOCOL_NAMES = {
    1: "icmp", 2: "igmp", 3: "ggp", 4: "ipencap", 5: "st", 6: "tcp", 8: "egp", 9: "igp", 12: "pup", 17: "udp",
    20: "hmp", 22: "xns-idp", 27: "rdp", 29: "iso-tp4", 33: "dccp", 36: "xtp", 37: "ddp", 38: "idpr-cmtp",
    41: "ipv6", 43: "ipv6-route", 44: "ipv6-frag", 45: "idrp", 46: "rsvp", 47: "gre", 50: "esp", 51: "ah",
    57: "skip", 58: "ipv6-icmp", 59: "ipv6-nonxt", 60: "ipv6-opts", 73: "rspf", 81: "vmtp", 88: "eigrp",
    89: "ospf", 93: "ax.25", 94: "ipip", 97: "etherip", 98: "encap", 103: "pim", 108: "ipcomp", 112: "vrrp",
    115: "l2tp", 124: "isis", 132: "sctp", 133: "fc", 135: "mobility-header", 136: "udplite", 137: "mpls-in-ip",
    138: "manet", 139: "hip", 140: "shim6", 141: "wesp", 142: "rohc", 143: "ethernet",
}  # fmt: skip
OTHER_PROTOCOL_NAMES = {
    "all": 0, "ip": 0, "hopopt": 0, "icmpv6": 58, "icmp6": 58, "ipv6-mh": 135, "mh": 135, "ip-encap": 4, "ipsec-esp": 50,
    "ipsec-ah": 51, "ospfigp": 89,
}  # fmt: skip

SERVICES = """
tcpmux 1 echo 7 discard 9 systat 11 daytime 13 netstat 15 qotd 17 chargen 19 ftp-data 20 ftp 21 ssh 22 telnet 23
smtp 25 mail 25 time 37 whois 43 nicname 43 tacacs 49 domain 53 bootps 67 bootpc 68 tftp 69 gopher 70 finger 79
http 80 www 80 kerberos 88 kerberos5 88 kerberos-sec 88 krb5 88 iso-tsap 102 acr-nema 104 pop3 110 pop-3 110 sunrpc 111
portmapper 111 auth 113 nntp 119 ntp 123 epmap 135 netbios-ns 137 netbios-dgm 138 netbios-ssn 139 imap2 143 imap 143
snmp 161 snmp-trap 162 snmptrap 162 cmip-man 163 cmip-agent 164 xdmcp 177 bgp 179 smux 199 qmtp 209 z3950 210 ipx 213
ptp-event 319 ptp-general 320 pawserv 345 zserv 346 rpc2portmap 369 codaauth2 370 clearcase 371 ldap 389 svrloc 427
https 443 snpp 444 microsoft-ds 445 kpasswd 464 submissions 465 smtps 465 ssmtp 465 urd 465 saft 487 isakmp 500 exec 512
biff 512 comsat 512 login 513 who 513 whod 513 shell 514 cmd 514 syslog 514 printer 515 spooler 515 talk 517 ntalk 518
route 520 router 520 routed 520 gdomap 538 uucp 540 klogin 543 kshell 544 dhcpv6-client 546 dhcpv6-server 547
afpovertcp 548 rtsp 554 nntps 563 submission 587 nqs 607 asf-rmcp 623 qmqp 628 ipp 631 ldaps 636 ldp 646
tinc 655 silc 706 kerberos-adm 749 domain-s 853 rsync 873 ftps-data 989 ftps 990 telnets 992 imaps 993 pop3s 995 socks 1080
proofd 1093 rootd 1094 openvpn 1194 rmiregistry 1099 lotusnote 1352 ms-sql-s 1433 ms-sql-m 1434 ingreslock 1524
datametrics 1645 sa-msg-port 1646 kermit 1649 l2f 1701 l2tp 1701 radius 1812 radius-acct 1813 cisco-sccp 2000 nfs 2049
gnunet 2086 rtcm-sc104 2101 gsigatekeeper 2119 gris 2135 cvspserver 2401 venus 2430 iscsi-target 3260 mysql 3306
ms-wbt-server 3389 nut 3493 distcc 3632 daap 3689 svn 3690 suucp 4031 sieve 4190 epmd 4369 icp 3130
ipsec-nat-t 4500 iax 4569 mtn 4691 radmin-port 4899 sip 5060 sip-tls 5061 xmpp-client 5222 xmpp-server 5269 cfengine 5308
mdns 5353 postgresql 5432 postgres 5432 rplay 5555 amqps 5671 amqp 5672 nrpe 5666 x11 6000 x11-1 6001 gnutella-svc 6346
redis 6379 ircd 6667 ircs-u 6697 http-alt 8080 webcache 8080 puppet 8140 isns 3205 zabbix-agent 10050 zabbix-trapper 10051
amanda 10080 kamanda 10081 nbd 10809 ident 113 sink 9 jabber-client 5222 jabber-server 5269 kerberos-master 751 gds-db 3050 dict 2628 hkp 11371 git 9418 bacula-dir 9101 bacula-fd 9102 bacula-sd 9103
syslog-tls 6514 munin 4949 tproxy 8081 omniorb 8088 wnn6 22273 x11-6 6006 sane-port 6566
"""

USERS = {"root": 0, "daemon": 1, "bin": 2, "sys": 3, "nobody": 65534}
GROUPS = {"root": 0, "daemon": 1, "bin": 2, "sys": 3, "adm": 4, "tty": 5, "nogroup": 65534}


@cache
def protocol_numbers() -> dict[str, int]:
    """Every name of a protocol, in small letters."""
    return {name: number for number, name in PROTOCOL_NAMES.items()} | OTHER_PROTOCOL_NAMES


@cache
def service_ports() -> dict[str, int]:
    """Names of well-known ports."""
    words = SERVICES.split()
    return {name: int(port) for name, port in zip(words[::2], words[1::2], strict=True)}


def protocol_name(number: int) -> str:
    """As iptables-save prints a protocol where `/etc/protocols` exists."""
    return PROTOCOL_NAMES.get(number, str(number))


def account(word: str, known: dict[str, int], what: str) -> int:
    """A user's or group's number."""
    if word not in known:
        raise NodeDependentError(
            f"the number of {what} `{word}` depends on the node's own accounts; write the number"
        )
    return known[word]
