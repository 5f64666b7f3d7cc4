"""Random changes of a node's native nft tables: what becomes of them is what nft itself prints."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from namespace import Namespace
from native_tables import BASE, NETDEV

from planner.emit.nft import table_text
from planner.models.node import NodeState
from planner.models.ruleset import NativeRuleset
from planner.parse.native import native_json, native_text, read_items
from planner.parse.nft_tables import CHAIN, MAP, SET, Key, NftObject, NftTable, nft_tables, own_tables

Tables = dict[str, NftTable]
RULES = (
    "tcp dport 81 drop", "ip saddr 10.9.0.0/16 accept", "counter packets 0 bytes 0", "meta mark set 0x00000001",
    "tcp dport { 1-5, 9 } reject", "ct state established,related accept", 'log prefix "x; {" level warn',
    "ip6 saddr fd00::/8 drop", "limit rate over 5/second drop", "quota 5 mbytes drop", "jump empty", "goto sub",
    'iifname "eth0" accept comment "a, b"', "ip saddr @s drop", "tcp dport vmap @m", "jump {\n\tudp dport 5 drop\n}",
    "ip protocol . th dport { tcp . 22, udp . 53 } accept", "meta l4proto vmap { tcp : jump empty, udp : drop }",
)  # fmt: skip
"""Rules of inet, a few of which other families refuse: such a change is left out."""
BASES = (
    "type filter hook forward priority filter; policy accept;", "type filter hook output priority mangle; policy drop;",
    "type nat hook postrouting priority srcnat; policy accept;", "type route hook output priority -150; policy accept;",
    "type filter hook prerouting priority raw; policy accept;", 'type filter hook ingress device "eth0" priority 0; policy accept;',
)  # fmt: skip
ELEMENTS = {
    "s": ("10.0.0.0/25", "10.0.2.2", "10.7.0.0/16", "10.0.2.0-10.0.2.9"),
    "tm": ("5.6.7.9", "9.9.9.9 timeout 1h"),
    "cnt": ("1.2.3.6", '1.2.3.7 comment "q"'),
    "m": ("25 : drop", "26 : jump empty", "22 : drop"),
    "big": ("10.0.0.4 . 80 : 10.1.1.1 . 80",),
    "dyn": ("9.9.9.9",),
}
NEW = (
    NftObject(SET, "more", ("type inet_service", "flags interval"), ("1-5", "80")),
    NftObject(MAP, "names", ("type ifname : verdict",), ('"eth0" : accept',)),
    NftObject("counter", "c2"),
    NftObject(CHAIN, "new", (), ("tcp dport 82 drop",)),
    NftObject("flowtable", "ft", ("hook ingress priority filter", "devices = { eth0 }")),
)


def changed(random: Random, tables: Tables, most: int = 4) -> Tables:
    """The tables after a few changes, whether nft takes them or not."""
    for _ in range(random.randint(1, most)):
        tables = random.choices(EDITS, WEIGHTS)[0](random, tables)
    return tables


def _edit(random: Random, tables: Tables, edit: Callable[[NftTable], NftTable | None]) -> Tables:
    if not tables:
        return tables
    title = random.choice([*sorted(tables), *(["inet fw"] * 4 if "inet fw" in tables else ())])
    table = edit(tables[title])
    left = {name: one for name, one in tables.items() if name != title}
    return left if table is None else {**left, title: table}


def _with(table: NftTable, one: NftObject) -> NftTable:
    return replace(table, objects={**table.objects, (one.kind, one.name): one})


def _chain(random: Random, table: NftTable, edit: Callable[[NftObject], NftObject]) -> NftTable:
    chains = sorted(table.of(CHAIN))
    return _with(table, edit(table.objects[CHAIN, random.choice(chains)])) if chains else table


def rule(random: Random, tables: Tables) -> Tables:
    """A rule more, a rule less, or two that change places."""

    def edit(chain: NftObject) -> NftObject:
        rules = list(chain.body)
        kind = random.randrange(3) if rules else 0
        if kind == 0:
            rules.insert(random.randint(0, len(rules)), random.choice(RULES))
        elif kind == 1:
            rules.pop(random.randrange(len(rules)))
        else:
            random.shuffle(rules)
        return replace(chain, body=tuple(rules))

    return _edit(random, tables, lambda table: _chain(random, table, edit))


def element(random: Random, tables: Tables) -> Tables:
    """An element more, or less."""

    def edit(table: NftTable) -> NftTable:
        keys = [key for key in table.objects if key[0] in {SET, MAP} and key[1] in ELEMENTS]
        if not keys:
            return table
        one = table.objects[random.choice(keys)]
        items = list(one.body)
        if items and random.random() < 0.5:
            items.pop(random.randrange(len(items)))
        else:
            items.append(random.choice(ELEMENTS[one.name]))
        return _with(table, replace(one, body=tuple(items)))

    return _edit(random, tables, edit)


def hook(random: Random, tables: Tables) -> Tables:
    """Another policy, another hook, a chain that comes off its hook or goes on one."""

    def edit(chain: NftObject) -> NftObject:
        if chain.head and random.random() < 0.6:
            turned = {"accept": "drop", "drop": "accept"}
            head = tuple(
                f"{line.rpartition('policy ')[0]}policy {turned.get(line.rpartition('policy ')[2][:-1], 'drop')};"
                if "policy " in line
                else line
                for line in chain.head
            )
            return replace(chain, head=head)
        return replace(chain, head=(random.choice((*BASES, "")),))

    return _edit(random, tables, lambda table: _chain(random, table, edit))


def thing(random: Random, tables: Tables) -> Tables:
    """Something declared more, or less with all that names it; or declared otherwise."""

    def edit(table: NftTable) -> NftTable:
        kind = random.randrange(3)
        if kind == 0 or not table.objects:
            return _with(table, random.choice(NEW))
        key = random.choice(list(table.objects))
        one = table.objects[key]
        if kind == 1 or key[0] == CHAIN:
            return _without(table, key)
        extra = {SET: "size 1000", MAP: "size 1000"}.get(key[0], 'comment "other"')
        return _with(table, replace(one, head=(*one.head, extra)))

    return _edit(random, tables, edit)


def _without(table: NftTable, key: Key) -> NftTable:
    objects = {
        other: replace(
            one,
            body=tuple(
                line for line in one.body if key[1] not in line.replace('"', " ").replace("@", " ").split()
            ),
        )
        for other, one in table.objects.items()
        if other != key
    }
    return replace(table, objects=objects)


def whole(random: Random, tables: Tables) -> Tables:
    """A table that goes, comes, sleeps or has another comment."""

    def edit(table: NftTable) -> NftTable | None:
        kind = random.randrange(3)
        if kind == 0:
            return None
        if kind == 1:
            rest = tuple(line for line in table.head if not line.startswith("flags "))
            return replace(table, head=rest if table.dormant else (*rest, "flags dormant"))
        return replace(table, head=('comment "other"',))

    if random.random() < 0.4:
        family = random.choice(("ip", "ip6", "inet", "bridge"))
        chain = NftObject(CHAIN, "c", (BASES[0],), ("counter packets 0 bytes 0 drop",))
        return {**tables, f"{family} fresh": NftTable(family, "fresh", (), {(CHAIN, "c"): chain})}
    return _edit(random, tables, edit)


EDITS = (rule, element, hook, thing, whole)
WEIGHTS = (5, 4, 2, 3, 1)


def printed(namespace: Namespace, text: str) -> NativeRuleset | None:
    """What nft prints when the text was loaded into an empty rule set; None where it is refused."""
    done = namespace.run(["nft", "-f", "-"], stdin=f"flush ruleset\n{text}", check=False)
    if done.returncode:
        return None
    return NativeRuleset(
        text=native_text(namespace.sh("nft list ruleset"), ()),
        json_text=native_json(read_items(namespace.sh("nft -j list ruleset")), ()),
    )


def wanted(seed: int, node: NodeState, namespace: Namespace) -> NodeState | None:
    """The node with other native tables; None where the kernel does not take them."""
    random = Random(f"native {seed}")
    tables = changed(random, dict(own_tables(node)))
    found = printed(namespace, "".join(table_text(tables[title]) for title in sorted(tables)))
    return None if found is None else node.model_copy(update={"native": found})


def rich(node: NodeState, namespace: Namespace) -> NodeState:
    """The node with native tables of every family and kind."""
    netdev = NETDEV.replace("device lo", 'device "eth1"')
    found = printed(
        namespace, BASE + netdev + "".join(table_text(one) for one in nft_tables(node.native.text).values())
    )
    assert found is not None
    return node.model_copy(update={"native": found})
