"""A node that is hard to rebuild: everything that a rebuilding program may put in the wrong order, lose or invent."""

SETUP = r"""
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.default.rp_filter=1 net.ipv4.conf.default.arp_ignore=1
sysctl -qw net.ipv4.neigh.default.gc_stale_time=61 2>/dev/null || true
sysctl -qw net.ipv6.conf.default.disable_ipv6=0

# Links, stacked and out of order; made late, so that indexes have holes.
ip link add name gap0 type veth peer name gap1
ip link del gap0
ip link add name eth0 address 52:54:00:aa:00:01 type veth peer name up0
ip link add name eth1 mtu 9001 address 52:54:00:aa:00:02 type veth peer name up1
ip link add name br0 mtu 1400 type bridge stp_state 0 ageing_time 12300
ip link add name br1 type bridge
ip link add name a type veth peer name b
ip link add name cali1 mtu 1440 type veth peer name up2
ip link set eth0 up; ip link set up0 up; ip link set up1 up; ip link set up2 up
ip link add name vx7 type vxlan id 7 dev eth0 local 192.0.2.9 dstport 8472 nolearning
ip link add name vx8 type vxlan id 8 local 192.0.2.9 dstport 4789 ttl 7
ip link add name mv0 link eth1 type macvlan mode bridge
ip link add name eth1.5 link eth1 type vlan id 5 2>/dev/null || true
ip tuntap add dev tun5 mode tun
ip tuntap add dev tap5 mode tap
ip link set eth0 alias "uplink to # rack 3"
ip link property add dev eth1 altname enp3s0f1 altname spare
ip link set eth1 group 42 txqueuelen 500
ip link set vx8 promisc on
ip link set up2 master br0
ip link set dev up2 type bridge_slave hairpin on isolated on cost 17 priority 5
ip link set vx7 master br1
ip link set br0 mtu 1350
for link in eth1 br0 br1 a b cali1 vx7 vx8 mv0 tun5; do ip link set dev $link up; done

# Addresses: secondaries, a peer, labels, no prefix route, deprecated, two in one subnet.
ip address add 192.0.2.9/24 dev eth0
ip address add 192.0.2.10/24 dev eth0
ip address add 192.0.2.11/24 dev eth0 label eth0:vip
ip address add 198.51.100.1/25 brd + dev eth1 noprefixroute
ip address add 10.9.0.1 peer 10.9.0.2/32 dev tun5
ip address add 10.8.0.1/16 dev br0 metric 77
ip -6 address add 2001:db8:1::9/64 dev eth0 nodad
ip -6 address add 2001:db8:1::a/64 dev eth0 nodad preferred_lft 0
ip -6 address add 2001:db8:2::1/128 dev lo nodad
ip address add 203.0.113.7/32 dev lo scope global
ip address add 169.254.1.1/32 dev mv0 scope link

# Routes of several tables, equal ones, discarding ones, next hops of all kinds.
ip route add default via 192.0.2.1 dev eth0 src 192.0.2.10 metric 100
ip route add default via 192.0.2.2 dev eth0 metric 200
ip route add 10.40.0.0/16 nexthop via 192.0.2.3 dev eth0 weight 3 nexthop dev eth1 weight 1
ip route add 10.41.0.0/16 via inet6 2001:db8:1::1 dev eth0
ip route add 10.42.0.7/32 dev cali1 scope link proto 80
ip route add blackhole 10.42.0.0/26 proto 80
ip route add prohibit 10.50.0.0/16 table 300
ip route add throw 10.51.0.0/16 table 300
ip route add unreachable default table 300 metric 4278198272
ip route add 10.60.0.0/24 via 10.255.0.1 dev eth1 onlink table 301 mtu lock 1300 advmss 1200
ip route append 10.61.0.0/24 dev eth0 tos 0x10
ip route add 10.62.0.0/24 dev br0 metric 5 initcwnd 20
ip route add local 10.63.0.0/24 dev lo table 100
ip -6 route add default via 2001:db8:1::1 dev eth0 metric 1024
ip -6 route add 2001:db8:40::/48 nexthop via 2001:db8:1::2 dev eth0 nexthop via 2001:db8:1::3 dev eth0
ip -6 route add blackhole 2001:db8:41::/48
ip -6 route add 2001:db8:42::/64 dev br0 table 300 metric 9
ip nexthop add id 11 via 192.0.2.4 dev eth0
ip nexthop add id 12 dev eth1
ip nexthop add id 13 blackhole
ip nexthop add id 20 group 11,5/12
ip route add 10.70.0.0/16 nhid 20
ip route add 10.71.0.0/16 nhid 13

# Policy rules: gaps, equals, a jump, a negation, one for everything the kernel made.
ip rule add pref 100 from 10.8.0.0/16 fwmark 0x100/0xf00 lookup 300
ip rule add pref 100 to 10.40.0.0/16 lookup 301
ip rule add pref 200 not from 192.0.2.0/24 iif eth1 lookup 300 suppress_prefixlength 0
ip rule add pref 300 goto 32766
ip rule add pref 400 ipproto tcp dport 80-90 prohibit
ip rule del pref 0
ip rule add pref 10 lookup local
ip -6 rule add pref 500 uidrange 100-200 oif eth0 lookup 300

# Entries.
ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
ip neigh add proxy 10.9.9.9 dev eth0
ip -6 neigh add 2001:db8:1::77 lladdr 02:00:00:00:00:78 dev eth0 nud permanent
ip -6 neigh add proxy 2001:db8:9::9 dev eth0
bridge fdb append 5e:00:00:00:00:01 dev vx7 dst 192.0.2.50
bridge fdb append 00:00:00:00:00:00 dev vx8 dst 192.0.2.51
bridge fdb append 00:00:00:00:00:00 dev vx8 dst 192.0.2.52
bridge fdb add 02:00:00:00:00:99 dev up2 master static

# Sets, filters of both backends and native tables.
ipset restore <<'EOF'
create nets hash:net family inet hashsize 64 maxelem 1000 comment
add nets 10.0.0.0/8 comment "all \"of\" ten"
add nets 10.1.0.0/16 nomatch
create six hash:ip,port family inet6
add six 2001:db8::1,tcp:443
create timed hash:ip timeout 600
create marks bitmap:port range 0-1023
add marks 80
create all list:set size 8
add all nets
EOF
iptables-legacy-restore <<'EOF'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -i eth1 -j CT --notrack
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:odd-chain - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "it's # \"odd\"" -j ACCEPT
-A INPUT -m set --match-set nets src -j odd-chain
-A OUTPUT -m owner --uid-owner 0 -j ACCEPT
-A odd-chain -m statistic --mode random --probability 0.33333333349 -j DROP
-A odd-chain -m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name h1 -j RETURN
COMMIT
EOF
ip6tables-legacy -A FORWARD -i eth0 -j REJECT --reject-with icmp6-port-unreachable
iptables-nft-restore <<'EOF'
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SVC-X - [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-X
-A KUBE-SVC-X -p tcp -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-X --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.0.10:6443
-A POSTROUTING -s 10.8.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
COMMIT
EOF
ip6tables-nft -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT
nft -f - <<'EOF'
table inet host {
	set allowed {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 192.0.2.0/24 }
	}
	map ports {
		type inet_service : verdict
		elements = { 22 : accept, 80 : jump web }
	}
	chain web {
		counter drop
	}
	chain input {
		type filter hook input priority 5; policy accept;
		ct state established,related accept
		ip saddr @allowed tcp dport vmap @ports
		meta mark set ct mark and 0xff
	}
}
table bridge br {
	chain forward {
		type filter hook forward priority 0; policy accept;
		ether type arp accept
	}
}
EOF

# Values that depend on others: after the links, some of them against what their `all` says.
sysctl -qw net.ipv4.conf.eth0.rp_filter=0 net.ipv4.conf.eth1.forwarding=0 net.ipv6.conf.br0.forwarding=0
sysctl -qw net.ipv4.conf.cali1.proxy_arp=1 net.ipv4.conf.all.accept_redirects=1
sysctl -qw net.ipv6.conf.b.disable_ipv6=1 net.ipv6.conf.a.addr_gen_mode=1 net.ipv6.conf.eth1.accept_ra=2
sysctl -qw net.ipv4.tcp_reordering=9 net.ipv4.ip_local_port_range="20000 40000" net.ipv4.ip_unprivileged_port_start=80
sysctl -qw net.ipv4.ip_local_reserved_ports=30000-32767 net.ipv4.tcp_rmem="4096 99999 888888"
sysctl -qw net.ipv4.ipfrag_high_thresh=6000000 net.ipv4.ipfrag_low_thresh=5000000
sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=4321
ip link set dev a down
"""
