"""The words of one route, next hop or policy rule, as `ip` prints them and as it takes them in a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planner.models.route import MAIN, NextHop, PolicyRule, Route
from planner.parse.ip_names import (
    DISCARDING,
    TYPE_NAMES,
    NotUnderstoodError,
    address_text,
    ip_protocol_name,
    mark_text,
    number_of,
    prefix_text,
    protocol_name,
    scope_name,
    table_number,
    tos_text,
    type_name,
)

OPTION_WORDS = frozenset(
    {
        "window",
        "rtt",
        "rttvar",
        "ssthresh",
        "cwnd",
        "reordering",
        "hoplimit",
        "initcwnd",
        "initrwnd",
        "features",
        "rto_min",
        "quickack",
        "congctl",
        "fastopen_no_cookie",
        "pref",
        "realms",
        "ttl-propagate",
    }
)
LOCKABLE = frozenset(
    {
        "mtu",
        "advmss",
        "rto_min",
        "congctl",
        "hoplimit",
        "window",
        "rtt",
        "rttvar",
        "ssthresh",
        "cwnd",
        "reordering",
    }
)
DERIVED = frozenset(
    {
        "linkdown",
        "dead",
        "offload",
        "rt_offload",
        "trap",
        "rt_trap",
        "rt_offload_failed",
        "notify",
        "cache",
        "unresolved",
    }
)
"""Flags that the kernel derives; they are never configuration."""
SYNONYMS = {
    "dsfield": "tos",
    "priority": "metric",
    "preference": "metric",
    "oif": "dev",
    "realm": "realms",
    "flow": "realms",
    "protocol": "proto",
    "nexthop_id": "nhid",
}
# What `ip` completes (iproute2, ip/iproute.c, `matches`): the word and the least that names it.
ABBREVIATED = (
    ("table", 1),
    ("protocol", 3),
    ("realms", 3),
    ("window", 2),
    ("initcwnd", 5),
    ("initrwnd", 5),
    ("congctl", 4),
)
SEPARATORS = frozenset(
    {
        "via",
        "dev",
        "weight",
        "onlink",
        "nexthop",
        "table",
        "proto",
        "scope",
        "metric",
        "src",
        "nhid",
        "mtu",
        "oif",
    }
)


AFTER_HOPS = '"nexthop" or end of line is expected'
"""How `ip` refuses a word of the route after its next hops."""


@dataclass(slots=True)
class Words:
    """A cursor over words."""

    words: Sequence[str]
    at: int = 0

    def more(self) -> bool:
        """Whether a word is left."""
        return self.at < len(self.words)

    def peek(self) -> str:
        """The next word, empty at the end."""
        return self.words[self.at] if self.more() else ""

    def take(self, after: str = "") -> str:
        """The next word; its absence after `after` is said."""
        if not self.more():
            raise NotUnderstoodError(f"something is missing after `{after}`")
        self.at += 1
        return self.words[self.at - 1]

    def number(self, after: str) -> int:
        """The next word as a number."""
        word = self.take(after)
        number = number_of(word)
        if number is None:
            raise NotUnderstoodError(f"`{word}` after `{after}` is no number")
        return number


def _canonical(word: str) -> str:
    for full, least in ABBREVIATED:
        if len(word) >= least and full.startswith(word):
            word = full
            break
    return SYNONYMS.get(word, word)


@dataclass(slots=True)
class _Hop:
    """A next hop while it is read."""

    via: str = ""
    via_family: str = ""
    link: str = ""
    weight: int = 1
    onlink: bool = False
    encap: str = ""

    def take(self, word: str, words: Words, family: str) -> bool:
        """Read what `word` starts, when it belongs to a next hop."""
        match word:
            case "via":
                first = words.take(word)
                named = {"inet": "ip", "inet6": "ip6"}.get(first)
                self.via = address_text(words.take(first) if named else first)
                own = "ip6" if ":" in self.via else "ip"
                self.via_family = own if own != family else ""
            case "dev":
                self.link = words.take(word)
            case "weight":
                self.weight = words.number(word)
            case "onlink" | "pervasive":
                self.onlink = self.onlink or word == "onlink"
            case "encap":
                taken = [words.take(word)]
                inside = SEPARATORS - {"src"} if taken[0] in {"ip", "ip6"} else SEPARATORS
                while words.more() and words.peek() not in inside:
                    taken.append(words.take())
                self.encap = " ".join(taken)
            case _:
                return word in DERIVED
        return True

    def finished(self) -> NextHop:
        """The noun."""
        return NextHop(
            via=self.via,
            via_family=self.via_family,
            link=self.link,
            weight=self.weight,
            onlink=self.onlink,
            encap=self.encap,
        )


@dataclass(slots=True)
class _Draft:
    """A route while it is read."""

    prefix: str = ""
    type: str = "unicast"
    table: str = ""
    tos: str = "0"
    metric: int = 0
    protocol: str = ""
    scope: str = ""
    source: str = ""
    nexthop_id: int | None = None
    expires: bool = False
    metrics: dict[str, int] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)


def parse_route_words(words: Sequence[str], family: str, *, tables: Mapping[str, str] | None = None) -> Route:
    """One route; protocol and scope are empty where they are not said. Raises `NotUnderstoodError`."""
    cursor = Words(words)
    draft, single = _Draft(), _Hop()
    hops: list[NextHop] = []
    while cursor.more():
        word = _canonical(cursor.take())
        if word == "nexthop":
            hops.append(_read_hop(cursor, family))
        elif hops:
            raise NotUnderstoodError(f'{AFTER_HOPS} instead of "{word}"')
        elif not single.take(word, cursor, family):
            _take(draft, word, cursor, family, tables)
    if not draft.prefix:
        raise NotUnderstoodError("a route without a destination")
    if draft.locked:
        draft.options["lock"] = ",".join(sorted(draft.locked))
    alone = single.finished()
    if not hops and draft.type not in DISCARDING and alone != NextHop():
        hops = [alone]
    return Route(
        family=family,
        table=table_number(draft.table, tables) if draft.table else MAIN,
        prefix=draft.prefix,
        type=draft.type,
        tos=draft.tos,
        metric=draft.metric,
        protocol=draft.protocol,
        scope=draft.scope if family == "ip" else "",
        source=draft.source,
        nexthops=tuple(hops),
        nexthop_id=draft.nexthop_id,
        mtu=draft.metrics.get("mtu"),
        advmss=draft.metrics.get("advmss"),
        expires=draft.expires,
        options=draft.options,
    )


def _read_hop(cursor: Words, family: str) -> NextHop:
    hop = _Hop()
    while cursor.more() and cursor.peek() != "nexthop":
        at = cursor.at
        word = SYNONYMS.get(cursor.peek(), cursor.take())
        if not hop.take(word, cursor, family):
            cursor.at = at
            break
    return hop.finished()


def _take(draft: _Draft, word: str, cursor: Words, family: str, tables: Mapping[str, str] | None) -> None:
    match word:
        case "table":
            draft.table = table_number(cursor.take(word), tables)
        case "proto":
            draft.protocol = protocol_name(cursor.take(word))
        case "scope":
            draft.scope = scope_name(cursor.take(word))
        case "src":
            draft.source = address_text(cursor.take(word))
        case "metric":
            draft.metric = cursor.number(word)
        case "tos":
            draft.tos = tos_text(cursor.take(word))
        case "nhid":
            draft.nexthop_id = cursor.number(word)
        case "from":
            draft.options["from"] = prefix_text(cursor.take(word), family)
        case "mtu" | "advmss":
            if cursor.peek() == "lock":
                draft.locked.add(cursor.take() and word)
            draft.metrics[word] = cursor.number(word)
        case "expires":
            cursor.take(word)
            draft.expires = True
        case "error":
            cursor.take(word)
        case _ if word in OPTION_WORDS:
            if cursor.peek() == "lock" and word in LOCKABLE:
                draft.locked.add(cursor.take() and word)
            value = cursor.take(word)
            if word != "pref" or value != "medium":
                draft.options[word] = value
        case "age" | "users" | "used" | "ipid" | "uid" | "mark" | "iif":
            cursor.take(word)  # Of cached routes and `ip route get`.
        case _ if not draft.prefix:
            _take_destination(draft, word, cursor, family)
        case _:
            raise NotUnderstoodError(f"`{word}` is no known word of a route")


def _take_destination(draft: _Draft, word: str, cursor: Words, family: str) -> None:
    if word == "to":
        word = cursor.take(word)
    # `-N` prints the type as a number too.
    numbered = (
        word.isdecimal()
        and type_name(word) in TYPE_NAMES
        and (set(cursor.peek()) & {".", ":"} or cursor.peek() == "default")
    )
    if word in TYPE_NAMES or numbered:
        draft.type = type_name(word)
        word = cursor.take(word)
        if word == "to":
            word = cursor.take(word)
    draft.prefix = prefix_text(word, family)


RULE_ACTIONS = frozenset({"blackhole", "unreachable", "prohibit", "nop"})


def _rule_word(word: str) -> str:
    """What `ip rule` completes and its synonyms (iproute2, ip/iprule.c)."""
    for full, least in (
        ("priority", 3),
        ("preference", 3),
        ("lookup", 1),
        ("table", 1),
        ("realms", 3),
        ("protocol", 4),
    ):
        if len(word) >= least and full.startswith(word):
            word = full
            break
    return {
        "lookup": "table",
        "preference": "pref",
        "priority": "pref",
        "order": "pref",
        "dev": "iif",
        "dsfield": "tos",
    }.get(word, word)


def parse_rule_words(
    words: Sequence[str], family: str, *, preference: int = -1, tables: Mapping[str, str] | None = None
) -> PolicyRule:
    """One policy rule; a preference that is not said is `preference`. Raises `NotUnderstoodError`."""
    cursor = Words(words)
    values: dict[str, str] = {}
    options: dict[str, str] = {}
    goto: int | None = None
    suppress: int | None = None
    action, inverted = "lookup", False
    while cursor.more():
        word = _rule_word(cursor.take())
        match word:
            case "not":
                inverted = True
            case "from" | "to":
                value = cursor.take(word)
                values[word] = "" if value in {"all", "any", "default"} else prefix_text(value, family)
            case "pref":
                preference = cursor.number(word)
            case "iif" | "oif" | "sport" | "dport" | "uidrange":
                values[word] = cursor.take(word)
            case "fwmark":
                mark, _, mask = cursor.take(word).partition("/")
                values[word] = mark_text(mark, mask)
            case "tos":
                values[word] = tos_text(cursor.take(word))
            case "ipproto":
                values[word] = ip_protocol_name(cursor.take(word))
            case "table":
                action, values[word] = "lookup", table_number(cursor.take(word), tables)
            case "protocol" | "proto":
                values["protocol"] = protocol_name(cursor.take(word))
            case "suppress_prefixlength" | "sup_pl":
                suppress = cursor.number(word)
            case "suppress_ifgroup" | "sup_group":
                values["suppress_ifgroup"] = cursor.take(word)
            case "goto":
                action, goto = "goto", cursor.number(word)
            case "type":
                action = _action(cursor.take(word))
            case "tun_id" | "realms" | "dscp" | "flowlabel":
                options[word] = cursor.take(word)
            case "l3mdev" | "masquerade":
                options[word] = ""
            case "[detached]" | "[unresolved]" | "unicast":
                continue
            case _ if word in RULE_ACTIONS:
                action = word
            case _:
                raise NotUnderstoodError(f"`{word}` is no known word of a policy rule")
    return PolicyRule(
        family=family,
        preference=preference,
        source=values.get("from", ""),
        destination=values.get("to", ""),
        iif=values.get("iif", ""),
        oif=values.get("oif", ""),
        fwmark=values.get("fwmark", ""),
        tos=values.get("tos", "") if values.get("tos") != "0" else "",
        ipproto=values.get("ipproto", ""),
        sport=values.get("sport", ""),
        dport=values.get("dport", ""),
        uidrange=values.get("uidrange", ""),
        inverted=inverted,
        action=action,
        table=values.get("table", "") if action == "lookup" else "",
        goto=goto,
        suppress_prefixlength=suppress,
        suppress_ifgroup=values.get("suppress_ifgroup", ""),
        protocol=values.get("protocol", "unspec"),
        options=options,
    )


def _action(word: str) -> str:
    if word in RULE_ACTIONS:
        return word
    raise NotUnderstoodError(f"`{word}` is no known action of a policy rule")
