"""Who writes a chain or a rule: the agents give themselves away by the names of their chains and by their comments."""

from collections import Counter
from collections.abc import Iterable
from re import compile as pattern

from planner.models.ruleset import Ruleset, Table
from planner.models.topology import Owner
from planner.topology.known import Known

OTHERS = "others"
"""Rules that nobody we know has signed."""

BASE_CHAINS = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})

CHAIN_PREFIXES: tuple[tuple[str, str], ...] = (
    ("KUBE-ROUTER-", "kube-router"),
    ("KUBE-NWPLCY-", "kube-router"),
    ("KUBE-POD-FW-", "kube-router"),
    ("KUBE-HOSTPORTS", "kubelet"),
    ("KUBE-HP-", "kubelet"),
    ("KUBE-KUBELET-CANARY", "kubelet"),
    ("KUBE-IPTABLES-HINT", "kubelet"),
    ("KUBE-MARK-DROP", "kubelet"),
    ("KUBE-FIREWALL", "kubelet"),
    ("KUBE-", "kube-proxy"),
    ("cali-", "calico"),
    ("califw-", "calico"),
    ("CNI-HOSTPORT-", "portmap"),
    ("CNI-DN-", "portmap"),
    ("CNI-SN-", "portmap"),
    ("CNI-FORWARD", "cni-firewall"),
    ("CNI-ADMIN", "cni-firewall"),
    ("CNI-ISOLATION-", "cni-firewall"),
    ("CNI-", "cni-bridge"),
    ("NETAVARK", "netavark"),
    ("FLANNEL-", "flannel"),
    ("DOCKER", "docker"),
    ("WEAVE", "weave"),
    ("CILIUM_", "cilium"),
    ("OLD_CILIUM_", "cilium"),
    ("ANTREA-", "antrea"),
    ("AZURE-NPM", "azure-npm"),
    ("AWS-SNAT-CHAIN", "aws-vpc-cni"),
    ("AWS-CONNMARK-CHAIN", "aws-vpc-cni"),
    ("IP-MASQ", "ip-masq-agent"),
    ("KIND-MASQ-AGENT", "kindnet"),
    ("OVN-KUBE-", "ovn-kubernetes"),
    ("OPENSHIFT-", "openshift-sdn"),
    ("ROMANA-", "romana"),
    ("SUBMARINER-", "submariner"),
    ("ISTIO_", "istio"),
    ("LIBVIRT_", "libvirt"),
    ("neutron-", "neutron"),
    ("f2b-", "fail2ban"),
    ("ts-", "tailscale"),
    ("ufw-", "ufw"),
    ("ufw6-", "ufw"),
)
"""First match counts, so a longer prefix stands before the shorter."""

MOST = ("KUBE-SEP-", "KUBE-SVC-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-", "KUBE-SVL-")
"""Nearly all chains of a large node; asked first for speed alone."""

FIREWALLD_EXACT = frozenset(
    f"{hook}_{part}"
    for hook in ("INPUT", "FORWARD", "FORWARD_IN", "FORWARD_OUT", "OUTPUT", "PREROUTING", "POSTROUTING")
    for part in ("direct", "ZONES", "ZONES_SOURCE", "POLICIES_pre", "POLICIES_post")
)
FIREWALLD_PREFIXES = ("IN_", "FWD_", "FWDI_", "FWDO_", "PRE_", "POST_")
"""firewalld names its chains by direction and zone: `IN_public_allow`."""

COMMENT_PREFIXES: tuple[tuple[str, str], ...] = (
    ("cali:", "calico"),
    ("kubernetes firewall for dropping marked packets", "kubelet"),
    ("block incoming localnet connections", "kubelet"),
    ("kubernetes ", "kube-proxy"),
    ("Kubernetes ", "kube-proxy"),
    ("cilium", "cilium"),
    ("CILIUM", "cilium"),
    ("Antrea:", "antrea"),
    ("AWS", "aws-vpc-cni"),
    ("flanneld ", "flannel"),
    ("NodeLocal DNS Cache", "node-local-dns"),
    ("ip-masq", "ip-masq-agent"),
    ("CNI portfwd", "portmap"),
    ("CNI firewall plugin", "cni-firewall"),
    ("name: ", "cni-bridge"),
    ("kube-router", "kube-router"),
    ("ufw", "ufw"),
    ("dnat name: ", "portmap"),
)

LINKS: tuple[tuple[str, str], ...] = (
    ("docker0 ", "docker"),
    ("br-", "docker"),
    ("weave ", "weave"),
    ("flannel", "flannel"),
    ("cilium_", "cilium"),
    ("lxc", "cilium"),
    ("cali", "calico"),
    ("kube-bridge ", "kube-router"),
    ("antrea-gw0 ", "antrea"),
    ("virbr", "libvirt"),
)
"""Links that only one agent has, as they stand after `-i ` or `-o `."""

QUOTED = pattern(r'"(?:\\.|[^"\\])*"')
"""A comment is written by others: what it says of jumps and links is no jump and no link."""

NODE_LOCAL_DNS = "169.254.20.10/32"
"""The address that NodeLocal DNSCache binds unless told otherwise (Kubernetes, cluster/addons/dns/nodelocaldns)."""


def owner_of_chain(name: str) -> str:
    """The agent that writes the chain; empty for base chains and chains that nobody we know has named."""
    if name.startswith(MOST):
        return "kube-proxy"
    for prefix, owner in CHAIN_PREFIXES:
        if name.startswith(prefix):
            return owner
    if name.startswith(FIREWALLD_PREFIXES) or name in FIREWALLD_EXACT:
        return "firewalld"
    return ""


def owner_of_rule(text: str) -> str:
    """The agent that wrote a rule of a shared chain: by where it jumps, its comment, its link; empty when none tells."""
    bare = QUOTED.sub('""', text) if '"' in text else text
    for option in (" -j ", " -g "):
        target = after(bare, option)
        if target:
            owner = owner_of_chain(target)
            if owner:
                return owner
    comment = comment_of(text)
    if comment:
        for prefix, owner in COMMENT_PREFIXES:
            if comment.startswith(prefix):
                return owner
    padded = f" {bare} "
    for option in (" -i ", " -o "):
        start = padded.find(option)
        if start >= 0:
            for link, owner in LINKS:
                if padded.startswith(link, start + len(option)):
                    return owner
    if NODE_LOCAL_DNS in bare:
        return "node-local-dns"
    return ""


def count_owners(rulesets: Iterable[Ruleset]) -> tuple[Owner, ...]:
    """Every owner with its rules and chains, most rules first. A chain's rules belong to who owns the chain."""
    rules: Counter[str] = Counter()
    chains: Counter[str] = Counter()
    for ruleset in rulesets:
        for table in ruleset.tables.values():
            some_rules, some_chains = COUNTED.of(table)
            rules.update(some_rules)
            chains.update(some_chains)
    names = sorted(set(rules) | set(chains), key=lambda name: (-rules[name], name))
    return tuple(Owner(name=name, rules=rules[name], chains=chains[name]) for name in names)


def _counted(table: Table) -> tuple[Counter[str], Counter[str]]:
    """Rules and chains of a table by owner."""
    rules: Counter[str] = Counter()
    chains: Counter[str] = Counter()
    most_rules = most_chains = 0
    for chain, lines in table.chains.items():
        if chain.startswith(MOST) and chain not in table.policies:
            most_chains += 1
            most_rules += len(lines)
            continue
        owner = "" if chain in BASE_CHAINS or chain in table.policies else owner_of_chain(chain)
        if owner:
            chains[owner] += 1
            rules[owner] += len(lines)
            continue
        if chain not in BASE_CHAINS and chain not in table.policies:
            chains[OTHERS] += 1
        for line in lines:
            rules[owner_of_rule(line) or OTHERS] += 1
    if most_chains:
        chains["kube-proxy"] += most_chains
        rules["kube-proxy"] += most_rules
    return rules, chains


COUNTED = Known(_counted)


def comment_of(rule: str) -> str:
    """The comment of a rule without its quotes; empty when it has none."""
    start = rule.find("--comment ")
    if start < 0:
        return ""
    start += len("--comment ")
    if rule.startswith('"', start):
        end = start + 1
        while (end := rule.find('"', end)) > 0 and rule[end - 1] == "\\":
            end += 1
        return rule[start + 1 : end] if end > 0 else rule[start + 1 :]
    end = rule.find(" ", start)
    return rule[start:] if end < 0 else rule[start:end]


def after(rule: str, option: str) -> str:
    """The word that follows an option: `after("-s 10.0.0.0/8 -j ACCEPT", " -j ")` is `ACCEPT`; empty when absent."""
    start = rule.find(option)
    if start < 0:
        if not rule.startswith(option[1:]):
            return ""
        start = -1
    start += len(option)
    end = rule.find(" ", start)
    return rule[start:] if end < 0 else rule[start:end]
