"""What kube-proxy's rules say: service addresses, node ports, DNS, API servers, and what it takes for pods' addresses."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from re import compile as pattern

from planner.models.node import NodeState
from planner.models.ruleset import Table
from planner.topology.known import Known
from planner.topology.owners import after, comment_of

DNS_COMMENTS = (
    "kube-system/kube-dns:",
    "kube-system/coredns:",
    "kube-system/rke2-coredns",
    "openshift-dns/dns-default:",
)
"""How the DNS Service is called: kubeadm and most others, then RKE2, then OpenShift."""

API_COMMENT = "default/kubernetes:"
SERVICE_CHAINS = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")
PORT_CHAINS = ("KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES")
PORT_SETS = ("KUBE-NODE-PORT-TCP", "KUBE-NODE-PORT-UDP", "KUBE-NODE-PORT-SCTP-HASH")
HOST_PORT_CHAINS = ("CNI-HOSTPORT-DNAT", "KUBE-HOSTPORTS")
NATIVE_ELEMENT = pattern(r"(?:([0-9a-f.:]+) \. )?(?:tcp|udp|sctp) \. (\d+) : goto (\S+)")
LOOKED_AT = 64
"""Service chains read in search of the pods' range: it stands in the first rule of each (kube-proxy 1.24 and later)."""


@dataclass(slots=True)
class ServiceRules:
    """Gathered over all rule sets of a node."""

    cluster_addresses: set[str] = field(default_factory=set)
    dns: set[str] = field(default_factory=set)
    api_service: set[str] = field(default_factory=set)
    api_servers: set[str] = field(default_factory=set)
    pod_ranges: set[str] = field(default_factory=set)
    node_ports: set[int] = field(default_factory=set)
    host_ports: set[int] = field(default_factory=set)
    service_chains: int = 0
    """KUBE-SVC and KUBE-SERVICES chains: iptables mode has them."""

    def add(self, other: "ServiceRules") -> None:
        """What another one says, too."""
        self.cluster_addresses |= other.cluster_addresses
        self.dns |= other.dns
        self.api_service |= other.api_service
        self.api_servers |= other.api_servers
        self.pod_ranges |= other.pod_ranges
        self.node_ports |= other.node_ports
        self.host_ports |= other.host_ports
        self.service_chains += other.service_chains


def service_rules(node: NodeState) -> ServiceRules:
    """One pass over kube-proxy's dispatch chains; the chains of single services are only counted."""
    found = ServiceRules()
    for ruleset in node.rulesets:
        for table in ruleset.tables.values():
            if table.name in ("nat", "filter"):
                found.add(READ.of(table))
    _sets(node, found)
    _native(node.native.text, found)
    return found


def _read(table: Table) -> ServiceRules:
    """What one table says."""
    found = ServiceRules()
    for name in SERVICE_CHAINS:
        for rule in table.chains.get(name, ()):
            _service(rule, found)
    for name in PORT_CHAINS:
        for rule in table.chains.get(name, ()):
            _node_port(rule, found, anywhere=name == "KUBE-NODEPORTS")
    for name in HOST_PORT_CHAINS:
        for rule in table.chains.get(name, ()):
            found.host_ports.update(_ports(rule))
    if table.name == "nat":
        _chains(table, found)
    return found


READ = Known(_read)


def _service(rule: str, found: ServiceRules) -> None:
    start = rule.find("-d ")
    if start < 0:
        if rule.startswith("! -s ") and "KUBE-CLUSTER-IP" in rule:
            found.pod_ranges.add(rule[5 : rule.find(" ", 5)])
        return
    end = rule.find("/", start)
    address = rule[start + 3 : end]
    comment = comment_of(rule)
    # Load-balancer and external addresses stand in the same chain and lie outside the service range
    # (kubernetes, pkg/proxy/iptables/proxier.go).
    if not comment.endswith(("cluster IP", " has no endpoints", " has no local endpoints")):
        return
    found.cluster_addresses.add(address)
    if comment.startswith(DNS_COMMENTS):
        found.dns.add(address)
    elif comment.startswith(API_COMMENT):
        found.api_service.add(address)
    if rule.startswith("! -s "):
        found.pod_ranges.add(rule[5 : rule.find(" ", 5)])


def _node_port(rule: str, found: ServiceRules, *, anywhere: bool) -> None:
    if anywhere or "--dst-type LOCAL" in rule:
        found.node_ports.update(_ports(rule))


def _ports(rule: str) -> Iterator[int]:
    """Destination ports that a rule names, of `--dport` or `--dports`; ranges as their two ends and all between."""
    words = after(rule, " --dport ") or after(rule, " --dports ")
    for word in words.split(",") if words else ():
        low, _, high = word.partition(":")
        if low.isdigit() and (high.isdigit() or not high):
            yield from range(int(low), int(high or low) + 1)


def _chains(nat: Table, found: ServiceRules) -> None:
    looked = 0
    for name, rules in nat.chains.items():
        if not name.startswith(("KUBE-SVC-", "KUBE-XLB-", "KUBE-EXT-")):
            continue
        found.service_chains += 1
        if looked >= LOOKED_AT or not rules:
            continue
        looked += 1
        first = rules[0]
        if first.startswith("! -s ") and "-j KUBE-MARK-MASQ" in first:
            found.pod_ranges.add(first[5 : first.find(" ", 5)])
        elif first.startswith("-s ") and not name.startswith("KUBE-SVC-"):
            found.pod_ranges.add(first[3 : first.find(" ", 3)])
    for rule in nat.chains.get("KUBE-SERVICES", ()):
        if API_COMMENT in rule:
            found.api_servers.update(_destinations(after(rule, " -j "), nat.chains))
    # The chain's name is a hash of "default/kubernetes:https" + protocol, so it is the same everywhere.
    found.api_servers.update(_destinations("KUBE-SVC-NPX46M4PTMTKRN6Y", nat.chains))


def _destinations(chain: str, chains: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Addresses that a service chain leads to, through its endpoint chains."""
    for rule in chains.get(chain, ()):
        target = after(rule, " -j ")
        if target.startswith("KUBE-SEP-"):
            for line in chains.get(target, ()):
                destination = after(line, " --to-destination ")
                if destination:
                    yield destination.rpartition(":")[0].strip("[]")


def _native(text: str, found: ServiceRules) -> None:
    """The nftables mode keeps addresses and ports in two maps (kubernetes, pkg/proxy/nftables/README.md)."""
    for table in text.split("\ntable ") if "kube-proxy {" in text else ():
        if not table.removeprefix("table ").startswith(("ip kube-proxy", "ip6 kube-proxy")):
            continue
        for name in ("service-nodeports", "service-ips"):
            start = table.find(f"map {name} {{")
            if start < 0:
                continue
            for entry in NATIVE_ELEMENT.finditer(table, start, table.find("\n\t}", start)):
                address, port, chain = entry.groups()
                if name == "service-nodeports":
                    found.node_ports.add(int(port))
                elif address and "external" not in chain:
                    found.cluster_addresses.add(address)
                    if any(dns.rstrip(":").replace(":", "/") in chain for dns in DNS_COMMENTS):
                        found.dns.add(address)
                    elif "-default/kubernetes/" in chain:
                        found.api_service.add(address)


def _sets(node: NodeState, found: ServiceRules) -> None:
    """IPVS mode keeps addresses and ports in ipsets (kubernetes, pkg/proxy/ipvs/README.md)."""
    for ipset in node.ipsets:
        if ipset.name in PORT_SETS:
            for element in ipset.elements:
                digits = element.rsplit(":", 1)[-1].split(" ", 1)[0]
                if digits.isdigit():
                    found.node_ports.add(int(digits))
        elif ipset.name in ("KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP"):
            found.cluster_addresses.update(element.split(",", 1)[0] for element in ipset.elements)


def mode_of(node: NodeState, rules: ServiceRules) -> tuple[str, str]:
    """kube-proxy's mode on this node, and the sentence that says from what."""
    sets = {ipset.name for ipset in node.ipsets}
    if (
        node.link("kube-ipvs0") is not None
        or {"KUBE-CLUSTER-IP", "KUBE-6-CLUSTER-IP"} & sets
        or _matches_set(node)
    ):
        left = " (service chains of iptables mode are still there)" if rules.service_chains else ""
        return "ipvs", f"kube-proxy runs in ipvs mode: kube-ipvs0 or its ipset KUBE-CLUSTER-IP is used{left}"
    if "table ip kube-proxy" in node.native.text or "table ip6 kube-proxy" in node.native.text:
        return "nftables", "kube-proxy runs in nftables mode: there is an nft table kube-proxy"
    if '"name": "kube-proxy"' in node.native.json_text or '"name":"kube-proxy"' in node.native.json_text:
        return "nftables", "kube-proxy runs in nftables mode: there is an nft table kube-proxy"
    services = [
        table.chains[name]
        for ruleset in node.rulesets
        for table in ruleset.tables.values()
        for name in SERVICE_CHAINS
        if name in table.chains
    ]
    if rules.service_chains or any(services):
        return "iptables", f"kube-proxy runs in iptables mode: {rules.service_chains:,} service chains"
    if node.gap("iptables") is not None or node.gap("nft") is not None or node.gap("ipset") is not None:
        return (
            "unknown",
            "kube-proxy's mode is not known: not all rules and sets were read, and those that were tell nothing",
        )
    if services:
        return "iptables", "kube-proxy runs in iptables mode: its chains are there, without a service"
    return "none", "no kube-proxy is at work: neither its chains, its nft table nor kube-ipvs0 are there"


def _matches_set(node: NodeState) -> bool:
    """Rules that look into kube-proxy's ipset, where the sets themselves were not read."""
    return any(
        "--match-set KUBE-CLUSTER-IP " in rule
        for ruleset in node.rulesets
        if (nat := ruleset.tables.get("nat")) is not None
        for rule in nat.chains.get("KUBE-SERVICES", ())[:64]
    )
