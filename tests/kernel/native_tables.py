"""nft tables of every kind, and changes of them: what tests of native tables begin from."""

BASE = """table inet fw {
 comment "my table"
 counter c1 { comment "cc"
 }
 quota q1 { over 25 mbytes
 }
 limit l1 { rate 5/second
 }
 ct helper h1 { type "ftp" protocol tcp; l3proto ip;
 }
 set s { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/24, 10.0.2.1 }
 }
 set dyn { type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1m; elements = { 1.2.3.4 }
 }
 set tm { type ipv4_addr; flags timeout; elements = { 1.2.3.4 timeout 5m comment "x; y", 5.6.7.8 }
 }
 set cnt { type ipv4_addr; counter; elements = { 1.2.3.4, 1.2.3.5 comment "a { b, c" }
 }
 map m { type inet_service : verdict; elements = { 22 : accept, 23 : jump sub, 24 : goto sub }
 }
 map big { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 10.0.0.1 . 80 : 10.1.1.1 . 8080, 10.0.0.2 . 80 : 10.1.1.1 . 8080 , 10.0.0.3 . 80 : 10.1.1.1 . 8080 }
 }
 chain sub { comment "regular"
 counter drop
 }
 chain input { type filter hook input priority filter; policy drop;
 tcp dport { 22, 80, 443, 1, 2, 3, 11-12, 14-15 } counter accept comment "a # { b $(touch hacked) 'q'"
 tcp dport vmap @m
 ip saddr @s accept
 quota 5 mbytes drop
 counter name c1
 quota name q1
 limit name "l1" accept
 jump {
  ip saddr 1.1.1.1 drop
  tcp dport 99 accept
 }
 log prefix "x # {q"
 ct state vmap { established : accept, invalid : drop }
 update @dyn { ip saddr limit rate 3/minute } accept
 ct count over 20 drop
 tcp dport 80 meter mm { ip saddr limit rate 5/second } accept
 ct helper set "h1"
 }
 chain empty {
 }
}
table bridge br { chain f { type filter hook forward priority -200
 ether type ip accept
 }
 }
table arp a { chain f { type filter hook input priority 0
 arp operation request accept
 }
 }
"""
NETDEV = """table netdev nd {
 chain ing { type filter hook ingress device lo priority 0; policy accept;
 tcp dport 7 drop
 }
}
"""
BRIDGE = BASE[BASE.index("table bridge") : BASE.index("table arp")]


def changed(*pairs: tuple[str, str]) -> str:
    """The base with some words replaced."""
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


CHANGES = {
    "nothing-there": "",
    "rules": changed((" ip saddr @s accept\n", " ip saddr @s drop\n ip daddr 1.1.1.1 drop\n")),
    "order": changed((" counter name c1\n quota name q1\n", " quota name q1\n counter name c1\n")),
    "policy": changed(("policy drop", "policy accept")),
    "priority": changed(("hook input priority filter", "hook input priority 5")),
    "hook": changed(("hook input priority filter; policy drop", "hook forward priority filter; policy drop")),
    "elements": changed(
        ("10.0.0.0/24, 10.0.2.1", "10.0.0.0/25, 10.0.2.0/30, 10.0.3.1"),
        ("22 : accept, 23 : jump sub", "22 : drop, 25: jump empty"),
        ('1.2.3.4, 1.2.3.5 comment "a { b, c"', "1.2.3.5, 1.2.3.6"),
    ),
    "data-of-a-map": changed(("10.0.0.1 . 80 : 10.1.1.1 . 8080", "10.0.0.1 . 80 : 10.1.1.2 . 8080")),
    "kind-of-a-set": changed(
        (
            "set s { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/24, 10.0.2.1 }",
            "set s { type ipv4_addr; elements = { 10.0.2.1 }",
        )
    ),
    "map-gone": changed(
        (
            " map m { type inet_service : verdict; elements = { 22 : accept, 23 : jump sub, 24 : goto sub }\n }\n",
            "",
        ),
        (" tcp dport vmap @m\n", ""),
    ),
    "chain-gone": changed(
        (' chain sub { comment "regular"\n counter drop\n }\n', ""), (", 23 : jump sub, 24 : goto sub", "")
    ),
    "comment-of-a-chain": changed(('comment "regular"', 'comment "other"')),
    "objects": changed(
        ("over 25 mbytes", "over 30 mbytes"), ("rate 5/second\n", "rate 7/second\n"),
        ('type "ftp"', 'type "tftp"'), ("protocol tcp; l3", "protocol udp; l3"),
    ),
    "objects-gone": changed(
        (" limit l1 { rate 5/second\n }\n", ""), (' limit name "l1" accept\n', ""),
        (' counter c1 { comment "cc"\n }\n', ""), (" counter name c1\n", ""),
    ),
    "asleep": changed(('comment "my table"\n', 'comment "my table"\n flags dormant\n')),
    "comment-of-the-table": changed(('comment "my table"', 'comment "your table"')),
    "table-gone": changed((BRIDGE, "")),
    "table-more": BASE + NETDEV,
    "size-of-what-packets-fill": changed(("size 65535; flags dynamic", "size 1000; flags dynamic")),
}  # fmt: skip
"""What a table can become."""

THEIRS = {
    "a rule at the end": "nft add rule inet fw input counter packets 5 bytes 55 comment theirs",
    "a rule at the top": "nft insert rule inet fw input ip saddr 9.9.9.9 counter packets 5 bytes 55 drop comment '\"their, { # handle 2\"'",
    "a rule in a chain that others lead to": "nft add rule inet fw sub tcp dport 7 drop",
    "a rule in an empty chain": "nft add rule inet fw empty tcp dport 7 drop",
    "an element with a comment": "nft add element inet fw cnt '{ 9.9.9.9 comment \"their, { s\" }'",
    "an interval": "nft add element inet fw s '{ 172.16.0.0/12 }'",
    "a verdict": "nft add element inet fw m '{ 77 : jump empty }'",
    "a pair": "nft add element inet fw big '{ 10.9.0.3 . 80 : 10.1.1.9 . 8080 }'",
    "an element with a time": "nft add element inet fw tm '{ 9.9.9.9 timeout 1h }'",
    "what packets add": "nft add element inet fw dyn '{ 9.9.9.9 }'",
    "a chain that names things": (
        "nft add chain inet fw theirs; nft add rule inet fw theirs jump sub; "
        "nft add rule inet fw theirs ip saddr @s counter packets 3 bytes 3 drop; nft add rule inet fw theirs tcp dport vmap @m; "
        "nft add rule inet fw theirs counter name c1; nft add rule inet fw theirs limit name l1"
    ),
    "a set": "nft add set inet fw their '{ type ipv4_addr; elements = { 1.1.1.1, 2.2.2.2 }; }'",
    "a counter": "nft add counter inet fw their; nft add rule inet fw sub counter name their",
    "a rule less": (
        "h=$(nft -a list chain inet fw input | sed -n 's/.*ct count over 20 drop # handle //p'); "
        "nft delete rule inet fw input handle $h"
    ),
    "an element less": "nft delete element inet fw big '{ 10.0.0.3 . 80 }'",
    "a table": "nft add table ip theirs; nft add rule bridge br f ether type arp accept",
}
"""What somebody else may do to the base, or to most of what it becomes: before a change or after it, it comes to the same."""
