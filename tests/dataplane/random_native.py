"""Rule sets of nft at random, as `nft -j list ruleset` prints them."""

import json
import random

from planner.models.node import NodeState
from planner.models.ruleset import NativeRuleset

Json = dict[str, object]
PRIORITIES = {
    "prerouting": (-310, -300, -250, -160, -150, -140, -110, -90, 0), "input": (-160, -10, 0, 10, 60, 110),
    "forward": (-150, -10, 0, 10, 60), "output": (-310, -250, -160, -140, -10, 0, 10, 60),
    "postrouting": (-160, -150, 0, 110),
}  # fmt: skip
"""Beside, before and after those of iptables."""
NAT = {"prerouting": (-100, -110, -90), "input": (100,), "output": (-100, -90), "postrouting": (100, 90)}


def match(left: object, right: object, op: str = "==") -> Json:
    return {"match": {"op": op, "left": left, "right": right}}


def meta(key: str) -> Json:
    return {"meta": {"key": key}}


def header(protocol: str, field: str) -> Json:
    return {"payload": {"protocol": protocol, "field": field}}


def ct(key: str) -> Json:
    return {"ct": {"key": key}}


def prefix(text: str) -> Json:
    addr, _, length = text.partition("/")
    return {"prefix": {"addr": addr, "len": int(length)}}


def asked(rng: random.Random) -> list[Json]:
    """Some conditions."""
    op = rng.choice(("==", "==", "!="))
    some = (
        [
            match(
                header("ip", rng.choice(("saddr", "daddr"))),
                prefix(rng.choice(("10.0.0.0/24", "10.0.0.0/16"))),
                op,
            )
        ],
        [match(header("ip", "daddr"), rng.choice(("8.8.8.8", "10.0.1.7", "10.0.0.2")), op)],
        [match(header("ip", "saddr"), "@hosts", op)],
        [match(header(rng.choice(("tcp", "udp")), "dport"), {"set": [53, {"range": [80, 443]}]}, op)],
        [match(meta("iifname"), rng.choice(("eth0", "eth*", "lo", "cni0")), op)],
        [match(meta("oifname"), rng.choice(("eth0", "cni0")), op)],
        [match(meta("l4proto"), {"set": ["tcp", "udp"]}), match(header("th", "dport"), 80, op)],
        [match(meta("l4proto"), rng.choice(("tcp", "icmp")), op)],
        [match(ct("state"), rng.choice((["established", "related"], "invalid", "new", "untracked")), "in")],
        [match(ct("status"), rng.choice(("dnat", "snat")), "in")],
        [match(meta("mark"), rng.choice((0, 1, 2)), op)],
        [match({"&": [meta("mark"), 3]}, 1, op)],
        [match({"&": [ct("mark"), 1]}, 1, op)],
        [match({"fib": {"result": "type", "flags": ["daddr"]}}, "local", op)],
        [match({"concat": [header("ip", "daddr"), header("tcp", "dport")]}, "@pairs", op)],
        [match(meta("skuid"), 1000, op)],
        [match(header("tcp", "flags"), "syn", "in")],
        [match(meta("nfproto"), rng.choice(("ipv4", "ipv6")))],
        [match({"numgen": {"mode": "random", "mod": 2, "offset": 0}}, 0)],
    )
    return [one for _ in range(rng.choice((0, 1, 1, 2))) for one in rng.choice(some)]


def done(rng: random.Random, kind: str, hook: str, *, below: bool) -> list[Json]:
    """What a rule does."""
    changes: list[list[Json]] = [
        [
            {
                "mangle": {
                    "key": meta("mark"),
                    "value": rng.choice((1, {"|": [meta("mark"), 2]}, {"&": [meta("mark"), 2]})),
                }
            }
        ],
        [{"mangle": {"key": ct("mark"), "value": meta("mark")}}],
        [{"mangle": {"key": meta("mark"), "value": ct("mark")}}],
        [{"counter": {"packets": 0, "bytes": 0}}],
        [{"notrack": None}],
    ]
    last: list[list[Json]] = [[{"accept": None}], [{"return": None}], []]
    if kind != "nat":
        last += [[{"drop": None}], [{"drop": None}]]
    if kind == "filter" and hook != "postrouting":
        last.append([{"reject": {"type": "icmp", "expr": "port-unreachable"}}])
    if below:
        last += [[{"jump": {"target": "below"}}], [{"goto": {"target": "below"}}]]
        key = meta("iifname")
        elements = [
            ["eth0", {"jump": {"target": "below"}}],
            ["cni0", {"return": None}],
            ["eth1", {"accept": None}],
        ]
        last.append([{"vmap": {"key": key, "data": {"set": elements}}}])
    if kind == "nat":
        where = {"family": "ip", "addr": rng.choice(("10.0.1.7", "10.0.0.2", "192.168.0.10"))}
        names = {
            "prerouting": [{"dnat": where}, {"redirect": None}], "output": [{"dnat": where}],
            "postrouting": [{"masquerade": None}, {"snat": where}], "input": [{"snat": where}],
        }  # fmt: skip
        last += [[one] for one in names[hook]] * 3
    found = rng.choice(changes) if kind != "nat" and rng.random() < 0.4 else []
    if found and rng.random() < 0.2:
        found = [*found, *asked(rng)]
    return [*found, *rng.choice(last)]


def make_native(rng: random.Random) -> NativeRuleset:
    """One table with some chains on hooks, and one that they call."""
    family = rng.choice(("ip", "inet"))
    own = {"family": family, "table": "t"}
    items: list[Json] = [
        {"table": {"family": family, "name": "t"}},
        {"set": {**own, "name": "hosts", "type": "ipv4_addr", "flags": ["interval"],
                 "elem": [prefix("10.0.0.0/25"), rng.choice(("10.0.1.7", "8.8.8.8"))]}},
        {"set": {**own, "name": "pairs", "type": ["ipv4_addr", "inet_service"],
                 "elem": [{"concat": ["10.0.0.2", 80]}, {"concat": ["8.8.8.8", 443]}]}},
        {"chain": {**own, "name": "below"}},
    ]  # fmt: skip
    items += [
        {"rule": {**own, "chain": "below", "expr": [*asked(rng), *done(rng, "", "", below=False)]}}
        for _ in range(rng.randrange(3))
    ]
    for number in range(rng.choice((1, 2, 3))):
        kind = rng.choice(("filter", "filter", "filter", "nat", "route"))
        hook = "output" if kind == "route" else rng.choice(sorted(NAT if kind == "nat" else PRIORITIES))
        priority = -150 if kind == "route" else rng.choice(NAT[hook] if kind == "nat" else PRIORITIES[hook])
        policy = "drop" if rng.random() < 0.1 and kind == "filter" else "accept"
        name = f"{kind}{number}"
        items.append(
            {"chain": {**own, "name": name, "type": kind, "hook": hook, "prio": priority, "policy": policy}}
        )
        items += [
            {
                "rule": {
                    **own,
                    "chain": name,
                    "expr": [*asked(rng), *done(rng, kind, hook, below=kind != "nat")],
                }
            }
            for _ in range(rng.randrange(1, 4))
        ]
    return NativeRuleset(json_text=json.dumps({"nftables": items}))


def with_native(seed: int, state: NodeState) -> NodeState:
    """A node of iptables' rules with some of nft beside them."""
    return state.model_copy(update={"native": make_native(random.Random(f"nft {seed}"))})


def changed_native(seed: int, state: NodeState) -> NodeState:
    """One thing of nft is another: a rule less, more or elsewhere, an element of a set, a policy, a chain less."""
    rng = random.Random(f"changed {seed}")
    items: list[Json] = json.loads(state.native.json_text)["nftables"]
    rules = [at for at, item in enumerate(items) if "rule" in item]
    bases = [at for at, item in enumerate(items) if "hook" in _body(item, "chain")]
    at = rng.choice(rules)
    match rng.randrange(6):
        case 0 | 1:
            del items[at]
        case 2:
            chain = _body(items[rng.choice(bases)], "chain")
            kind, hook = str(chain["type"]), str(chain["hook"])
            own = {key: chain[key] for key in ("family", "table")}
            expr = [*asked(rng), *done(rng, kind, hook, below=kind != "nat")]
            items.insert(
                rng.choice((at, len(items))), {"rule": {**own, "chain": chain["name"], "expr": expr}}
            )
        case 3:
            items.insert(rng.choice(rules), items.pop(at))
        case 4:
            hosts = _body(next(item for item in items if _body(item, "set").get("name") == "hosts"), "set")
            hosts["elem"] = [prefix("10.0.0.0/26")]
        case _:
            chain = _body(items[rng.choice(bases)], "chain")
            if rng.random() < 0.5 and chain["type"] == "filter":
                chain["policy"] = {"accept": "drop", "drop": "accept"}[str(chain["policy"])]
            else:
                name = chain["name"]
                items = [
                    item
                    for item in items
                    if _body(item, "chain") is not chain and _body(item, "rule").get("chain") != name
                ]
    return state.model_copy(update={"native": NativeRuleset(json_text=json.dumps({"nftables": items}))})


def _body(item: Json, kind: str) -> Json:
    found = item.get(kind)
    return found if isinstance(found, dict) else {}
