"""Whether two neighbouring rules may change places without any packet noticing."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address

from planner.diff.rule_text import without_comment

Proof = Callable[[str, str, str, str], bool]
"""`same_fate(first, second, family, table)`."""

_HOST4 = re.compile(r"(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})/32")
_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "icmp"})
# Matches without a memory: evaluating one of them leaves nothing behind, so it does not matter whether a rule
# that cannot match a packet was tried on it before or after another (iptables-extensions(8)).
_WITHOUT_MEMORY = frozenset(
    {"tcp", "udp", "sctp", "addrtype", "mark", "connmark", "conntrack", "state", "multiport", "mac"}
)
# The only targets of the kernel's own that rewrite an address and let the rule after see the packet are SNPT and
# DNPT, in ip6tables' mangle table (net/ipv6/netfilter/ip6t_NPT.c: XT_CONTINUE). A jump may lead to one.
_KEEPS_ADDRESSES = frozenset(
    {
        "",
        "ACCEPT",
        "DROP",
        "RETURN",
        "MARK",
        "CONNMARK",
        "TOS",
        "DSCP",
        "HL",
        "TCPMSS",
        "LOG",
        "NFLOG",
        "NFQUEUE",
    }
)
_VERDICTS = frozenset({"ACCEPT", "DROP", "RETURN"})
BUDGET = 20_000
"""Questions to the full proof for one chain; beyond it a pair counts as not provable."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule's own words pin down exactly. An empty field says nothing."""

    destination: str = ""
    source: str = ""
    port: str = ""
    """`tcp 443`: a destination port, where no match with a memory stands in the rule."""
    link_in: str = ""
    link_out: str = ""
    protocol: str = ""
    verdict: str = ""
    """ACCEPT, DROP or RETURN, where no match with a memory stands in the rule."""

    def pins(self) -> tuple[str, ...]:
        """The fields by which chains are dispatched, the most telling first."""
        return (self.destination, self.port, self.link_in, self.link_out, self.source, self.protocol)


NOTHING = Facts()


def _host(word: str) -> str:
    """The address of a single host in one notation, or empty."""
    if _HOST4.fullmatch(word):
        return word
    if word.endswith("/128"):
        try:
            return IPv6Address(word[:-4]).compressed
        except AddressValueError:
            return ""
    return ""


def facts(rule: str, *, rewrites: bool = False) -> Facts:
    """Read a rule without its comment. `rewrites`: the table may hold targets that change addresses and go on."""
    if '"' in rule:
        return NOTHING
    destination = source = port = link_in = link_out = protocol = ""
    target, negated, memory = "unread", False, False
    words = iter(rule.split(" "))
    for word in words:
        if word == "!":
            negated = True
            continue
        if word in {"-j", "-g"}:
            target = next(words, "")
            break
        if not negated:
            match word:
                case "-d":
                    destination = _host(next(words, ""))
                case "-s":
                    source = _host(next(words, ""))
                case "-p":
                    protocol = next(words, "")
                    protocol = protocol if protocol in _PROTOCOLS else ""
                case "-i":
                    link_in = next(words, "")
                case "-o":
                    link_out = next(words, "")
                case "--dport":
                    port = next(words, "")
                    port = port if port.isdecimal() else ""
                case "-m":
                    if next(words, "") not in _WITHOUT_MEMORY:
                        # Addresses, links and protocol stand before the matches, so nothing of use follows.
                        memory = True
                        break
                case _:
                    pass
        negated = False
    if rewrites and target not in _KEEPS_ADDRESSES:
        destination = source = port = ""
    return Facts(
        destination=destination,
        source=source,
        port=f"{protocol} {port}" if port and protocol and not memory else "",
        link_in="" if link_in.endswith("+") else link_in,
        link_out="" if link_out.endswith("+") else link_out,
        protocol=protocol,
        verdict=target if target in _VERDICTS and not memory and next(words, None) is None else "",
    )


def apart(one: Facts, other: Facts) -> bool:
    """Whether no packet can match both: some field is pinned to different values.

    The addresses, links and protocol of a rule are compared before its matches are tried
    (net/ipv4/netfilter/ip_tables.c, ipt_do_table), so a match with a memory does not spoil them.
    """
    return any(
        mine and theirs and mine != theirs for mine, theirs in zip(one.pins(), other.pins(), strict=True)
    )


def no_proof(_first: str, _second: str, _family: str, _table: str) -> bool:
    """Nothing can be shown beyond the facts."""
    return False


@dataclass(slots=True)
class Commute:
    """Asks for pairs of one chain; remembers facts and answers, and stops asking when the budget is spent."""

    family: str
    table: str
    proof: Proof
    _facts: dict[str, Facts] = field(default_factory=dict)
    _answers: dict[tuple[str, str], bool] = field(default_factory=dict)

    def facts(self, rule: str) -> Facts:
        """Facts of a rule, read once."""
        known = self._facts.get(rule)
        if known is None:
            rewrites = self.family == "ip6" and self.table == "mangle"
            known = self._facts[rule] = facts(without_comment(rule), rewrites=rewrites)
        return known

    def __call__(self, first: str, second: str) -> bool:
        """Whether swapping the two changes nothing; False when that cannot be shown."""
        one, other = self.facts(first), self.facts(second)
        if apart(one, other) or (one.verdict and one.verdict == other.verdict):
            return True
        pair = (first, second)
        answer = self._answers.get(pair)
        if answer is None:
            if len(self._answers) >= BUDGET:
                return False
            answer = self._answers[pair] = self.proof(first, second, self.family, self.table)
        return answer
