"""Whatever a text holds, its reader gives nouns and gaps, or the one error that it documents."""

import json
import os
from collections.abc import Callable

import pytest
import reader_samples as sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import demo, hostile_texts, mutated, mutated_json

from planner.collect.sections import SECTIONS
from planner.errors import NetchangeError
from planner.models.node import ConfigFile
from planner.models.section import Section
from planner.netfilter.command import parse_command
from planner.netfilter.lower import lower_text
from planner.netfilter.problem import RuleError
from planner.netfilter.rule import canonical_rules
from planner.netfilter.words import split_words
from planner.parse import counters, fdb_text, ip_json, ip_json_links, ip_text, ip_text_links, network_files
from planner.parse.cluster import parse_cluster
from planner.parse.cni import active_cni
from planner.parse.documents import load_either, load_json, load_yaml
from planner.parse.ip_names import NotUnderstoodError, read_table_names
from planner.parse.ip_words import parse_route_words, parse_rule_words
from planner.parse.ipset_save import parse_ipset_save
from planner.parse.iptables_restore import parse_restore_file, read_restore_file
from planner.parse.iptables_save import parse_iptables_save
from planner.parse.kubelet import kubelet_config, parse_flags
from planner.parse.kubelet import split_words as split_flags
from planner.parse.native import native_text, read_items
from planner.parse.node import parse_node
from planner.parse.resolv import load_resolv, parse_resolv
from planner.parse.snapshot import load_snapshot
from planner.parse.stream import parse_stream
from planner.parse.subnet_env import load_subnet_env, parse_subnet_env
from planner.parse.sysctl import parse_sysctl_values
from planner.parse.sysctl_d import Reader, diagnose, effective_assignments, read_sysctl_file
from planner.proposal.fragments import decode, recognise
from planner.proposal.shell import read_script
from planner.report.saved import load
from planner.sysctls.names import key_to_path, link_key, normalise_key
from planner.sysctls.numbers import normalise_value, numbers, ports

EXAMPLES = int(os.environ.get("NETCHANGE_EXAMPLES", "30"))
"""Of each property; a hunt takes thousands."""
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def files(path: str) -> Callable[[str], dict[str, ConfigFile]]:
    return lambda text: {path: ConfigFile(text=text)}


def kubelet(text: str) -> None:
    found = kubelet_config(
        {
            "/var/lib/kubelet/config.yaml": ConfigFile(text=text),
            "/var/lib/kubelet/kubeadm-flags.env": ConfigFile(text=text),
        }
    )
    if found is not None:
        for name in (
            "cluster_dns",
            "max_pods",
            "port",
            "node_ip",
            "pod_cidr",
            "hairpin_mode",
            "make_iptables_util_chains",
            "cni_conf_dir",
        ):
            getattr(found, name)


def sysctl_d(text: str) -> None:
    held = files("/etc/sysctl.d/9.conf")(text)
    for reader in Reader:
        effective_assignments(held, reader, {"net.ipv4.ip_forward": "1", "net.ipv4.conf.lo.rp_filter": "1"})
    diagnose(held, {"net.ipv4.ip_forward"})
    read_sysctl_file(text, path="x")


def cni(text: str) -> None:
    held = files("/etc/cni/net.d/10-x.conflist")(text)
    active_cni(held)
    network_files.cni_facts(held)


def words_of_rule(text: str) -> None:
    parse_command(split_words(text), "ip")


RULES = tuple(line.partition("-A ")[2].partition(" ")[2] for line in sample.SAVE.split("\n") if "-A " in line)
"""Without the chain, as a snapshot keeps them."""

READERS: tuple[tuple[str, Callable[[str], object], tuple[str, ...], tuple[type[Exception], ...]], ...] = (
    ("links", ip_json_links.parse_links, (sample.LINKS,), ()),
    ("routes", lambda text: ip_json.parse_routes(text, "ip"), (sample.ROUTES,), ()),
    ("routes6", lambda text: ip_json.parse_routes(text, "ip6"), (sample.ROUTES,), ()),
    ("rules", lambda text: ip_json.parse_policy_rules(text, "ip"), (sample.POLICY_RULES,), ()),
    ("nexthops", ip_json.parse_nexthops, (sample.NEXTHOPS,), ()),
    ("neighbours", lambda text: ip_json.parse_neighbours(text, proxy_text=text), (sample.NEIGHBOURS,), ()),
    ("fdb", ip_json.parse_fdb, (sample.FDB,), ()),
    ("links text", ip_text_links.parse_links, (sample.LINKS_TEXT,), ()),
    ("routes text", lambda text: ip_text.parse_routes(text, "ip"), (sample.ROUTES_TEXT,), ()),
    ("routes6 text", lambda text: ip_text.parse_routes(text, "ip6"), (sample.ROUTES_TEXT,), ()),
    ("rules text", lambda text: ip_text.parse_policy_rules(text, "ip"), (sample.RULES_TEXT,), ()),
    (
        "neighbours text",
        lambda text: ip_text.parse_neighbours(text, proxy_text=text),
        (sample.NEIGHBOURS_TEXT,),
        (),
    ),
    (
        "lost in json",
        lambda text: ip_text.lost_in_json(text, ip_json.parse_routes(sample.ROUTES, "ip")[0]),
        (sample.ROUTES_TEXT,),
        (),
    ),
    ("fdb text", fdb_text.parse_fdb, (sample.FDB_TEXT,), ()),
    ("table names", read_table_names, ("255 local\n100 # c\n0x10 a b\n",), ()),
    (
        "route words",
        lambda text: parse_route_words(text.split(), "ip"),
        (
            "default via 10.0.0.1 dev e proto dhcp src 10.0.0.2 metric 100 mtu lock 1400",
            "10.5.0.0/16 nexthop via 10.0.0.9 dev v0 weight 2 nexthop via inet6 fe80::1 dev v1 onlink",
        ),
        (NotUnderstoodError,),
    ),
    (
        "rule words",
        lambda text: parse_rule_words(text.split(), "ip"),
        (
            "not from 10.0.0.0/8 fwmark 0x1/0xff iif e ipproto tcp sport 1-9 lookup 100 suppress_prefixlength 0",
        ),
        (NotUnderstoodError,),
    ),
    ("save", lambda text: parse_iptables_save(text, family="ip", backend="nft"), (sample.SAVE,), ()),
    ("save6", lambda text: parse_iptables_save(text, family="ip6", backend="legacy"), (sample.SAVE,), ()),
    ("restore", lambda text: read_restore_file(text, family="ip", name="x"), (sample.SAVE,), ()),
    (
        "restore or error",
        lambda text: parse_restore_file(text, family="ip", name="x"),
        (sample.SAVE,),
        (NetchangeError,),
    ),
    ("command", words_of_rule, tuple(f"-A INPUT {rule}" for rule in RULES), (RuleError,)),
    ("rule", lambda text: canonical_rules(text, "ip"), RULES, (RuleError,)),
    ("lowered", lambda text: lower_text(text, "ip"), RULES, (RuleError,)),
    ("ipset", parse_ipset_save, (sample.IPSET,), ()),
    ("nft", read_items, (sample.NFT,), (ValueError,)),
    ("nft text", lambda text: native_text(text, ()), ("table inet x {\n\tchain y {\n\t}\n}\n",), ()),
    ("sysctl", parse_sysctl_values, (sample.SYSCTLS,), ()),
    ("sysctl.d", sysctl_d, (sample.SYSCTL_FILE,), ()),
    (
        "keys",
        lambda text: (normalise_key(text), key_to_path(text), link_key(text)),
        ("net.ipv4.conf.eth0/100.rp_filter",),
        (),
    ),
    ("numbers", lambda text: (numbers(text), ports(text), normalise_value(text)), ("1-9,0x10 077\t5",), ()),
    ("cni", cni, (sample.CNI,), ()),
    ("kubelet", kubelet, (sample.KUBELET, sample.KUBELET_FLAGS), ()),
    ("flags", lambda text: parse_flags(split_flags(text)), (sample.KUBELET_FLAGS,), ()),
    ("resolv", parse_resolv, (sample.RESOLV,), ()),
    ("resolv file", lambda text: load_resolv(files("/etc/resolv.conf")(text)), (sample.RESOLV,), ()),
    ("subnet", parse_subnet_env, (sample.SUBNET,), ()),
    (
        "subnet file",
        lambda text: load_subnet_env(files("/run/flannel/subnet.env")(text)),
        (sample.SUBNET,),
        (),
    ),
    (
        "flannel",
        lambda text: network_files.flannel_ranges(files("/run/flannel/subnet.env")(text)),
        (sample.SUBNET,),
        (),
    ),
    ("sockstat", counters.parse_sockstat, (sample.SOCKSTAT,), ()),
    ("snmp", counters.parse_snmp, (sample.SNMP,), ()),
    (
        "conntrack",
        lambda text: counters.parse_conntrack({"net.netfilter.nf_conntrack_max": text}, text),
        (sample.CONNTRACK,),
        (),
    ),
    ("entries", counters.parse_entries, (sample.CONNTRACK,), ()),
    ("listeners", counters.parse_listeners, (sample.LISTENERS,), ()),
    ("processors", counters.parse_processors, ("0-3,5\n",), ()),
    ("memory", counters.parse_memory, ("MemTotal:  24684096 kB\n",), ()),
    ("uptime", counters.parse_uptime, ("3691.12 1.0\n",), ()),
    ("stream", parse_stream, (sample.STREAM,), ()),
    ("cluster", lambda text: parse_cluster({"pods.json": text}), (sample.CLUSTER, sample.YAML), ()),
    ("json", lambda text: load_json(text, name="x"), (sample.CNI,), (NetchangeError,)),
    ("yaml", lambda text: load_yaml(text, name="x"), (sample.KUBELET, sample.YAML), (NetchangeError,)),
    ("either", lambda text: load_either(text, name="x"), (sample.CNI, sample.KUBELET), (NetchangeError,)),
    ("script", lambda text: list(read_script(text)), (sample.SCRIPT,), ()),
    (
        "fragment",
        lambda text: recognise("x", text),
        (sample.SCRIPT, sample.BATCH, sample.SAVE, sample.IPSET, sample.KUBELET),
        (NetchangeError,),
    ),
    (
        "assessment",
        lambda text: load(text.encode(), name="x"),
        ('{"schema_version":"1","netchange":"0","taken_at":"","level":0,"nodes":[]}',),
        (NetchangeError,),
    ),
)


@pytest.mark.parametrize(
    ("read", "texts", "allowed"), [entry[1:] for entry in READERS], ids=[entry[0] for entry in READERS]
)
def test_a_reader_never_stumbles(
    read: Callable[[str], object], texts: tuple[str, ...], allowed: tuple[type[Exception], ...]
) -> None:
    """Tools of other versions, cut files and forged lines are input, not accidents."""

    @QUICK
    @given(mutated(*texts) | hostile_texts())
    def holds(text: str) -> None:
        try:
            read(text)
        except allowed:
            return

    for text in texts:
        read(text)
    holds()


JSON_READERS: tuple[tuple[str, Callable[[str], object], str, tuple[type[Exception], ...]], ...] = (
    ("links", ip_json_links.parse_links, sample.LINKS, ()),
    ("routes", lambda text: ip_json.parse_routes(text, "ip"), sample.ROUTES, ()),
    ("rules", lambda text: ip_json.parse_policy_rules(text, "ip6"), sample.POLICY_RULES, ()),
    ("nexthops", ip_json.parse_nexthops, sample.NEXTHOPS, ()),
    ("neighbours", ip_json.parse_neighbours, sample.NEIGHBOURS, ()),
    ("fdb", ip_json.parse_fdb, sample.FDB, ()),
    ("nft", read_items, sample.NFT, (ValueError,)),
    ("cluster", lambda text: parse_cluster({"x.json": text}), sample.CLUSTER, ()),
    ("cni", cni, sample.CNI, ()),
)


@pytest.mark.parametrize(
    ("read", "text", "allowed"),
    [entry[1:] for entry in JSON_READERS],
    ids=[entry[0] for entry in JSON_READERS],
)
def test_a_value_of_another_type_is_no_accident(
    read: Callable[[str], object], text: str, allowed: tuple[type[Exception], ...]
) -> None:
    """JSON that parses and means something else: null where a list was, a list where a name was, a number of 400 digits."""

    @QUICK
    @given(mutated_json(json.loads(text)))
    def holds(document: object) -> None:
        try:
            read(json.dumps(document))
        except allowed:
            return

    holds()


@QUICK
@given(st.data())
def test_a_node_is_made_of_any_sections(data: st.DataObject) -> None:
    """Sections swap their contents, break off, fail, or come from another tool: a state with gaps comes out."""
    texts = (
        sample.LINKS,
        sample.LINKS_TEXT,
        sample.ROUTES,
        sample.ROUTES_TEXT,
        sample.POLICY_RULES,
        sample.RULES_TEXT,
        sample.SAVE,
        sample.IPSET,
        sample.NFT,
        sample.SYSCTLS,
        sample.SOCKSTAT,
    )
    names = data.draw(
        st.lists(st.sampled_from(sorted({section.name for section in SECTIONS})), unique=True, max_size=12)
    )
    sections = [
        Section(
            name=name,
            argv=data.draw(hostile_texts()),
            text=data.draw(mutated(*texts) | hostile_texts()),
            status=data.draw(st.sampled_from((0, 0, 0, 1, None))),
            stderr=data.draw(hostile_texts()),
            skipped=data.draw(st.sampled_from(("", "", "", "no reason"))),
        )
        for name in names
    ]

    assert parse_node(sections).name


@QUICK
@given(st.binary(max_size=200) | hostile_texts().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_octets_are_a_text_or_a_sentence(data: bytes) -> None:
    """What is proposed may be anything at all."""
    try:
        decode(data, name="x")
    except NetchangeError as error:
        hint = error.hint
    else:
        return

    assert hint


@settings(QUICK, max_examples=2 * EXAMPLES)
@given(st.data())
def test_a_snapshot_is_read_or_refused(data: st.DataObject) -> None:
    """Hand-edited, cut, or of another version: a snapshot or one sentence with a hint."""
    whole = SNAPSHOT
    text = json.dumps(data.draw(mutated_json(whole)))
    if data.draw(st.booleans()):
        text = data.draw(mutated(text[: data.draw(st.integers(0, 3000))]))
    try:
        load_snapshot(text.encode("utf-8", "surrogatepass"), name="x")
    except NetchangeError as error:
        hint = error.hint
    else:
        return

    assert hint


def _small() -> object:
    node = demo().nodes[0]
    cut = node.model_copy(
        update={
            "sysctls": dict(list(node.sysctls.items())[:5]),
            "links": node.links[:3],
            "routes": node.routes[:5],
            "rulesets": node.rulesets[:1],
        }
    )
    return json.loads(demo().model_copy(update={"nodes": (cut,), "cluster": None}).model_dump_json())


SNAPSHOT = _small()
