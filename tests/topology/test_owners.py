"""Who wrote a chain or a rule; on real saves, and on their speed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table
from planner.topology.derive import derive_topology
from planner.topology.owners import comment_of, count_owners, owner_of_chain, owner_of_rule

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SAVES = DATA / "real" / "iptables-k8s"


@pytest.mark.parametrize(
    ("chain", "owner"),
    [
        ("KUBE-SVC-NPX46M4PTMTKRN6Y", "kube-proxy"),
        ("KUBE-FIREWALL", "kubelet"),
        ("KUBE-ROUTER-FORWARD", "kube-router"),
        ("KUBE-POD-FW-ABC", "kube-router"),
        ("cali-FORWARD", "calico"),
        ("CNI-HOSTPORT-DNAT", "portmap"),
        ("CNI-3b7f5d9a4c1e", "cni-bridge"),
        ("FLANNEL-FWD", "flannel"),
        ("DOCKER-USER", "docker"),
        ("WEAVE-NPC-DEFAULT", "weave"),
        ("CILIUM_FORWARD", "cilium"),
        ("ufw-before-input", "ufw"),
        ("IN_public_allow", "firewalld"),
        ("INPUT_ZONES", "firewalld"),
        ("INPUT", ""),
        ("my-own", ""),
    ],
)
def test_a_chain_is_known_by_its_name(chain, owner):
    """Agents name their chains; base chains and strangers have no owner."""
    assert owner == owner_of_chain(chain)


@pytest.mark.parametrize(
    ("rule", "owner"),
    [
        ('-m comment --comment "cali:abc" -j cali-INPUT', "calico"),
        ('-m comment --comment "cali:abc" -m mark --mark 0x1/0x1 -j ACCEPT', "calico"),
        ("-j KUBE-FIREWALL", "kubelet"),
        ('-m comment --comment "kubernetes service portals" -j KUBE-SERVICES', "kube-proxy"),
        ("-i docker0 ! -o docker0 -j ACCEPT", "docker"),
        ("-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "docker"),
        ("-o weave -j DROP", "weave"),
        ('-s 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN', "flannel"),
        ("-d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK", "node-local-dns"),
        ('-s 10.1.0.5/32 -m comment --comment "name: \\"cbr0\\" id: \\"9f\\"" -j MASQUERADE', "cni-bridge"),
        ("-g KUBE-MARK-MASQ", "kube-proxy"),
        ("-s 10.0.0.0/8 -j ACCEPT", ""),
        ('-m comment --comment "not kubernetes -j KUBE-SERVICES" -j ACCEPT', ""),
    ],
)
def test_a_rule_of_a_shared_chain_is_known_by_target_comment_or_link(rule, owner):
    """The jump counts first, then the comment, then a link that only one agent has."""
    assert owner == owner_of_rule(rule)


@given(st.text(alphabet=st.characters(blacklist_characters='"\\\n', blacklist_categories=("Cs",))))
def test_a_comment_cannot_forge_a_jump_or_a_link(words):
    """Comments are written by others: a rule of nobody stays nobody's, whatever links and chains its comment names."""
    rule = f'-s 10.0.0.0/8 -m comment --comment "x {words} -i docker0 -j cali-INPUT" -j ACCEPT'

    assert "" == owner_of_rule(rule)


@given(
    st.text(alphabet=st.characters(blacklist_characters='"\\\n', blacklist_categories=("Cs",)), min_size=1)
)
def test_a_quoted_comment_comes_back_whole(comment):
    """What stands between the quotes is the comment."""
    assert comment == comment_of(f'-s 10.0.0.0/8 -m comment --comment "{comment}" -j ACCEPT')


def test_every_rule_is_counted_once():
    """The owners' rules add up to all rules, and unknown ones are counted as others'."""
    table = Table(
        name="filter",
        policies={"INPUT": "ACCEPT"},
        chains={
            "INPUT": ("-j KUBE-FIREWALL", "-s 10.0.0.0/8 -j ACCEPT"),
            "KUBE-FIREWALL": ("-j DROP",),
            "mine": ("-j RETURN",),
        },
    )
    owners = count_owners((Ruleset(family="ip", backend="nft", tables={"filter": table}),))

    assert {"kubelet": (2, 1), "others": (2, 1)} == {o.name: (o.rules, o.chains) for o in owners}


def read_save(path):
    """iptables-save text to a rule set, as far as these tests need it."""
    tables, name = {}, ""
    for line in path.read_text().splitlines():
        if line.startswith("*"):
            name, policies, chains = line[1:], {}, {}
        elif line.startswith(":"):
            chain, policy, *_ = line[1:].split()
            chains[chain] = []
            if policy != "-":
                policies[chain] = policy
        elif line.startswith("-A "):
            _, chain, *rest = line.split(" ", 2)
            chains.setdefault(chain, []).append(rest[0] if rest else "")
        elif line == "COMMIT":
            tables[name] = Table(
                name=name, policies=policies, chains={k: tuple(v) for k, v in chains.items()}
            )
    return Ruleset(family="ip", backend="nft", tables=tables)


REAL = {
    "ack-ipvs-nodelocaldns.save": ("ipvs", {"kube-proxy", "kubelet", "node-local-dns"}, ("172.16.0.0/12",)),
    "azure-npm-v1-aks-docker.save": (
        "iptables",
        {"azure-npm", "docker", "kube-proxy", "kubelet", "others"},
        (),
    ),
    "calico-felix-fv-cali-only.save": ("none", {"calico"}, ()),
    "calico-felix-fv-kube-docker.save": (
        "iptables",
        {"calico", "docker", "kube-proxy", "kubelet"},
        ("192.168.0.0/16",),
    ),
    "kubeadm111-docker-before-cni.save": ("iptables", {"docker", "kube-proxy", "kubelet"}, ("10.32.0.0/12",)),
    "kubeadm111-weave-docker-broken-bridge.save": (
        "iptables",
        {"docker", "kube-proxy", "kubelet", "weave"},
        ("10.32.0.0/12",),
    ),
}


@pytest.mark.skipif(not SAVES.exists(), reason="the real saves are not here")
class TestRealSaves:
    @pytest.mark.parametrize("name", REAL)
    def test_mode_owners_and_range_of_a_real_node(self, name):
        """Each save is recognised: kube-proxy's mode, everybody who wrote rules, and the pods' range it names."""
        ruleset = read_save(SAVES / name)
        found = derive_topology(NodeState(name="n", rulesets=(ruleset,)))

        mode, owners, pods = REAL[name]
        assert (mode, pods) == (found.kube_proxy_mode, found.pod_ranges)
        assert owners == {owner.name for owner in found.owners if owner.rules}
        assert ruleset.size == sum(owner.rules for owner in found.owners)

    def test_antreas_restore_input_is_antreas(self):
        """What antrea feeds to iptables-restore has one owner."""
        files = sorted((SAVES / "antrea-restore").glob("*.restore"))
        assert files
        for file in files:
            assert {"antrea"} == {owner.name for owner in count_owners((read_save(file),)) if owner.rules}

    def test_the_recorded_kube_proxy_is_counted_as_its_save_says(self):
        """Service addresses and NodePorts are those that a plain search of the save finds."""
        path = DATA / "kube-proxy-recorded" / "kubeproxy-node1.iptables-save"
        found = derive_topology(NodeState(name="n", rulesets=(read_save(path),)))

        words = [line.split() for line in path.read_text().splitlines() if line.startswith("-A ")]
        ports = {int(w[w.index("--dport") + 1]) for w in words if w[1] == "KUBE-NODEPORTS"}
        rejected = {int(w[w.index("--dport") + 1]) for w in words if w[1] == "KUBE-EXTERNAL-SERVICES"}
        addresses = {w[w.index("-d") + 1] for w in words if w[1] == "KUBE-SERVICES" and "-d" in w}
        assert sorted(ports | rejected) == list(found.node_ports)
        assert len(addresses) == found.service_addresses
        assert (("10.244.0.0/16",), ("10.96.0.0/12",)) == (found.pod_ranges, found.service_ranges)


@pytest.mark.crater
def test_300_000_rules_are_not_parsed_one_by_one():
    """A large node's topology reads the dispatch chains and only counts the rest."""
    chains = {
        f"KUBE-SEP-{i:016d}": (
            "-s 10.244.1.1/32 -j KUBE-MARK-MASQ",
            "-p tcp -j DNAT --to-destination 10.244.1.1:80",
        )
        for i in range(140_000)
    }
    chains["KUBE-SERVICES"] = tuple(
        f'-d 10.{96 + i // 65536}.{i // 256 % 256}.{i % 256}/32 -p tcp -m comment --comment "s/v{i}:h cluster IP" -j KUBE-SVC-{i}'
        for i in range(1, 20_001)
    )
    ruleset = Ruleset(family="ip", backend="nft", tables={"nat": Table(name="nat", chains=chains)})
    found = derive_topology(NodeState(name="n", rulesets=(ruleset,)))

    assert (300_000, 20_000) == (found.owners[0].rules, found.service_addresses)
