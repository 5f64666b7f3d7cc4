"""An entry of the published incidents made into a node and a proposal, as far as its lines are in the syntax of a dump.

Lines of an entry are minimal and carry remarks in parentheses. What they leave open is filled with the small world of
`small_world.py`; what an entry's prerequisites ask for is added where a word of theirs names a fact that a snapshot can hold.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface

import small_world as world

from planner.models.cluster import Cluster
from planner.models.node import Listener, NodeState
from planner.models.proposal import Fragment
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose

Entry = Mapping[str, object]
BASE_CHAINS = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
}
TARGETS = frozenset({
    "ACCEPT", "DROP", "RETURN", "REJECT", "LOG", "MARK", "DNAT", "SNAT", "MASQUERADE", "CT", "REDIRECT",
    "NOTRACK", "CONNMARK", "TCPMSS",
})  # fmt: skip
KNOWN = frozenset({
    "sysctl", "iptables", "routes", "routes6", "ip_rules", "links", "addresses6", "cni", "cni_bin", "neigh_entries",
    "files", "conntrack", "cluster", "text",
})  # fmt: skip
KUBE_NAT = (
    "-A PREROUTING -j KUBE-SERVICES",
    "-A OUTPUT -j KUBE-SERVICES",
    "-A POSTROUTING -j KUBE-POSTROUTING",
    "-A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
    "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 192.0.2.9:6443",
)
OWN_SERVICE = "pods call their own service"
HAIRPIN = (
    "-A PREROUTING -j KUBE-SERVICES",
    "-A KUBE-SERVICES -d 10.96.5.5/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-WEB",
    "-A KUBE-SVC-WEB -j KUBE-SEP-WEB",
    "-A KUBE-SEP-WEB -s {pod}/32 -j KUBE-MARK-MASQ",
    "-A KUBE-SEP-WEB -p tcp -m tcp -j DNAT --to-destination {pod}:80",
    "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
)
"""As kube-proxy writes them for a Service with one endpoint."""
SECOND_CARD = "belongs to another interface or table"
REMARK = re.compile(r"\s*\([^()]*\)\s*$")


class NotExpressibleError(Exception):
    """Why the entry cannot be built from its lines."""


@dataclass(slots=True)
class Case:
    """The entry as a snapshot and a change of it."""

    node: NodeState
    cluster: Cluster
    fragments: list[Fragment] = field(default_factory=list)


def convert(entry: Entry, others: Mapping[str, Entry]) -> Case:
    """The case of an entry; `others` are those it may refer to. Raises NotExpressibleError with the reason."""
    before, after = (_mapping(entry, side) for side in ("before", "after"))
    for line in _lines(entry, "prerequisites"):
        if line.startswith("as for ") and line.removeprefix("as for ") in others:
            before = {**_mapping(others[line.removeprefix("as for ")], "before"), **before}
    if "text" in before or (
        "cluster" in before | after and not {"iptables", "cni"} & (before | after).keys()
    ):
        raise NotExpressibleError("speaks of the cluster only")
    strange = (before | after).keys() - KNOWN
    if strange:
        raise NotExpressibleError(f"speaks of {', '.join(sorted(strange))}")
    words = json.dumps([entry[key] for key in ("title", "prerequisites", "before", "after") if key in entry])
    links = _links(before, words)
    tables = _tables(before)
    if OWN_SERVICE in words:
        tables["nat"] += _hairpin(words)
        after = {
            **after,
            "iptables": {**_mapping(after, "iptables"), "nat": [*_tables(after)["nat"], *_hairpin(words)]},
        }
    if "KUBE-" in words and "nat" not in tables and "iptables" in before:
        tables["nat"] = list(KUBE_NAT)
    if "guard rule stays in front" in words and "filter" in tables:
        tables["filter"].insert(0, "-A INPUT -j KUBE-FIREWALL")
    ways = _routes(before, links, words)
    if OWN_SERVICE in words:
        ways.append(f"{_own_pod(words)} dev cali1 scope link")
    node = world.node(
        links=links,
        routes=ways,
        routes6=[_plain(line) + " " for line in _lines(before, "routes6")],
        rules=_rules(before),
        sysctls=_values(before, links),
        iptables=_save(tables),
        sections={"cni-plugins": "".join(f"{name}\n" for name in _binaries(before))},
        files=_files(before) | (_flannel(before) if "flannel" in words else {}),
    )
    node = _with_facts(running_as_files_say(node, _files(before)), before, words)
    return Case(node, _cluster(before, words), list(_fragments(before, after)))


def _own_pod(words: str) -> str:
    """A pod of the range that the entry's rules speak of."""
    named = re.search(r"-[sd] (\d+\.\d+)\.0\.0/16", words)
    return f"{named[1]}.1.7" if named else "10.244.1.7"


def _hairpin(words: str) -> list[str]:
    return [line.format(pod=_own_pod(words)) for line in HAIRPIN]


def running_as_files_say(node: NodeState, files: Mapping[str, str]) -> NodeState:
    """The node after its own sysctl files were applied."""
    fragments = [recognise(path, text) for path, text in files.items() if path.startswith("/etc/sysctl.d/")]
    stages = propose(node, fragments).stages
    return stages[-1].after if stages else node


def _fragments(before: Entry, after: Entry) -> Iterable[Fragment]:
    tables = _tables(after)
    if "iptables" in after:
        if not tables:
            tables = {table: [] for table in _tables(before)}
        yield recognise(
            "etc/iptables/rules.v4" if _missing(after) else "change.rules",
            _save(tables, missing=_missing(after)),
        )
    batch = [*_route_commands(before, after), *_rule_commands(before, after)]
    if batch:
        yield recognise("change.batch", "".join(f"{line}\n" for line in batch))
    for path, text in _files(after).items():
        if _files(before).get(path) != text:
            yield recognise(path, text)


def _mapping(entry: Entry, key: str) -> dict[str, object]:
    found = entry.get(key, {})
    if not isinstance(found, dict):
        raise NotExpressibleError(f"{key} is not a mapping")
    return found


def _lines(entry: Entry, key: str) -> list[str]:
    found = entry.get(key, [])
    return [str(line) for line in found] if isinstance(found, list) else [str(found)]


def _plain(line: str) -> str:
    return REMARK.sub("", line).strip()


def _value(value: object) -> str:
    text = _plain(str(value))
    if not re.fullmatch(r"[\d\s,-]*", text):
        raise NotExpressibleError(f"value `{value}` is prose")
    return text


# Links and routes


def _links(before: Entry, words: str) -> list[world.Link]:
    routed = "routed CNI" in words or not re.search(r"flannel|bridge CNI|cni0|vxlan", words)
    links = {link.name: link for link in (world.ROUTED if routed else world.FLANNEL)}
    if re.search(r"(?<!no )(?<!pure )eBPF|kube-proxy-free", words):
        links = {link.name: link for link in (world.LO, world.UPLINK, *world.CILIUM)}
    for line in _lines(before, "links"):
        name, *rest = line.split()
        if "*" in name or not re.fullmatch(r"(?:eth|ens|lxc|cni|cali|flannel)[\w.]*", name):
            continue
        address = next((word for word in rest if re.fullmatch(r"[\d.]+/\d+", word)), "")
        kind = "" if name.startswith(("eth", "ens")) else "veth"
        found = links.get(name, world.Link(name, kind=kind))
        links[name] = replace(found, address=address or found.address)
    mentioned = {
        key.split(".")[3]
        for key in _mapping(before, "sysctl")
        if key.startswith("net.ipv") and ".conf." in key
    }
    mentioned |= {name for line in _lines(before, "routes") for name in re.findall(r"dev (\S+)", line)}
    for name in sorted(mentioned - {"all", "default"}):
        plain = name.replace("*", "1")
        links.setdefault(plain, world.Link(plain, kind="" if plain.startswith(("eth", "ens")) else "veth"))
    for address in _lines(before, "addresses6"):
        if re.match(r"[\da-f:]+/\d+$", address):
            links["eth0"] = replace(links["eth0"], address=f"{links['eth0'].address} {address}")
    if "asymmetric routing" in words:
        links["eth1"] = world.Link("eth1", "198.51.100.10/24")
    for number, link in enumerate(list(links.values())):  # an uplink has an address
        if link.name.startswith(("eth", "ens")) and not link.address:
            links[link.name] = replace(link, address=f"198.51.100.{number}/24")
    if SECOND_CARD in words:
        links["eth1"] = world.Link("eth1", "10.8.0.9/24")
    if "kube-ipvs0" in words:
        links["kube-ipvs0"] = world.Link("kube-ipvs0", "10.96.0.10/32 10.96.5.5/32", kind="dummy")
    for line in _lines(before, "routes"):  # a gateway is on a connected prefix
        gateway = re.search(r"via (\d+\.\d+\.\d+)\.\d+ dev (\S+)", line)
        if gateway and not links[gateway[2]].address.startswith(gateway[1]):
            links[gateway[2]] = replace(links[gateway[2]], address=f"{gateway[1]}.10/24")
    return list(links.values())


def _routes(before: Entry, links: Iterable[world.Link], words: str) -> list[str]:
    given = [_plain(line) for line in _lines(before, "routes")]
    connected = [
        f"{ip_interface(address).network} dev {link.name} proto kernel scope link src {address.split('/')[0]}"
        for link in links
        for address in link.address.split()
        if ":" not in address and not address.endswith("/32") and link.name != "lo"
    ]
    usual = world.ROUTED_ROUTES if "flannel" not in words else world.FLANNEL_ROUTES
    names = {link.name for link in links}
    rest = [] if given else [line for line in usual if line.split("dev ")[1].split()[0] in names]
    if given and not any(line.startswith("default") for line in given):
        rest.append(world.UPLINK_ROUTES[0])
    if "asymmetric routing" in words:
        rest.append("default via 198.51.100.1 dev eth1 metric 200")
    if SECOND_CARD in words:
        rest += ["10.8.0.5 dev cali1 scope link", "default via 10.8.0.1 dev eth1 table 2"]
    if "cilium_host" in names:
        rest.append("10.244.1.0/24 via 10.244.1.1 dev cilium_host proto kernel src 10.244.1.1")
    return list(dict.fromkeys([*given, *rest, *connected]))


def _route_commands(before: Entry, after: Entry) -> Iterable[str]:
    if "routes" not in after:
        return
    had, has = ([_plain(line) for line in _lines(side, "routes")] for side in (before, after))
    if any("nexthop" in line for line in had):
        raise NotExpressibleError("routes are prose")
    yield from (f"route del {line}" for line in had if line not in has)
    yield from (f"route add {line}" for line in has if line not in had)


def _rules(before: Entry) -> list[str]:
    """Those of the entry, with the kernel's own for the tables that none of them asks for all packets."""
    given = [_rule_line(line) for line in _lines(before, "ip_rules")]
    asked = {line.partition("\t")[2] for line in given}
    return [*given, *(line for line in world.RULES if line.partition("\t")[2] not in asked)]


def _rule_line(line: str) -> str:
    preference, _, rest = line.partition(":")
    if not preference.isdecimal():
        raise NotExpressibleError(f"rule `{line}` is prose")
    return f"{preference}:\t{rest.strip()}"


def _rule_commands(before: Entry, after: Entry) -> Iterable[str]:
    had, has = (_lines(side, "ip_rules") for side in (before, after))
    if not has or has == ["unchanged"]:
        return
    for verb, lines, others in (("add", has, had), ("del", had, has)):
        for line in lines:
            if line not in others:
                preference, rest = _rule_line(line).split(":\t")
                yield f"rule {verb} pref {preference} {rest}"


# Sysctls and rules


def _values(before: Entry, links: Iterable[world.Link]) -> dict[str, str]:
    values = {}
    for key, value in _mapping(before, "sysctl").items():
        prefix = re.match(r"(.*\.conf\.)(\w+)\*(\..*)", key)
        names = [link.name for link in links if prefix and link.name.startswith(prefix[2])]
        for name in [f"{prefix[1]}{name}{prefix[3]}" for name in names] if prefix else [key]:
            values[name] = _value(value)
    return values


def _tables(side: Entry) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, lines in _mapping(side, "iptables").items():
        kept: list[str] = []
        for line in lines if isinstance(lines, list) else [lines]:
            plain = REMARK.sub("", str(line)).strip()
            if "kube" in str(line) and not plain:
                kept += KUBE_NAT
            elif not plain and "current" not in str(line) and "absent" not in str(line):
                raise NotExpressibleError(f"line `{line}` is prose")
            elif "..." in plain:
                raise NotExpressibleError(f"line `{line}` is cut short")
            elif plain:
                kept.append(plain)
        tables[table] = kept
    return tables


def _missing(side: Entry) -> frozenset[str]:
    """Chains of which the entry says that they are not there."""
    found = re.findall(r"-j (\S+) \(chain missing\)", json.dumps(_mapping(side, "iptables")))
    return frozenset(found)


def _filler(table: str, chain: str) -> str:
    """A rule such as stands in an agent's chain that an entry only jumps to."""
    match table:
        case "filter":
            return f"-A {chain} -s 10.244.0.0/16 -j ACCEPT"
        case "nat" if "POSTROUTING" in chain:
            return f"-A {chain} -m mark --mark 0x4000/0x4000 -j MASQUERADE"
        case "nat" if chain.endswith("MASQ"):
            return f"-A {chain} -j MARK --set-xmark 0x4000/0x4000"
        case "nat":
            return f"-A {chain} -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.7:80"
        case _:
            return ""


def _save(tables: Mapping[str, list[str]], *, missing: frozenset[str] = frozenset()) -> str:
    text = []
    for table, lines in tables.items():
        policies = dict.fromkeys(BASE_CHAINS[table], "ACCEPT")
        rules = [line for line in lines if line.startswith("-A")]
        for line in rules:
            for chain in re.findall(r"-[Aj] (\S+)", line):
                if chain not in TARGETS and chain not in missing:
                    policies.setdefault(chain, "-")
        for line in lines:
            if line.startswith(":"):
                chain, *policy = line[1:].split()
                policies[chain] = policy[0] if policy else "-"
        filled = {line.split()[1] for line in rules}
        agents = [
            chain for chain in policies if re.match(r"KUBE-|CNI-|cali-|DOCKER", chain) and chain not in filled
        ]
        jumped = {line.split(" -j ")[1].split()[0] for line in rules if " -j " in line}
        rules += [_filler(table, chain) for chain in agents if chain in jumped and _filler(table, chain)]
        text += [
            f"*{table}",
            *(f":{chain} {policy} [0:0]" for chain, policy in policies.items()),
            *rules,
            "COMMIT",
        ]
    return "\n".join(text) + "\n" if text else ""


# Files


def _files(side: Entry) -> dict[str, str]:
    files = {}
    values = {
        key: value
        for key, value in _mapping(side, "sysctl").items()
        if str(key).startswith(("net.", "vm.", "fs."))
    }
    if values:
        text = "".join(f"{key.replace('lxc*', 'lxc1')} = {_value(value)}\n" for key, value in values.items())
        files["/etc/sysctl.d/99-change.conf"] = text
    for path, text in _mapping(side, "files").items():
        files[path if path.startswith("/") else f"/etc/sysctl.d/{path}"] = f"{text}\n"
    if "cni" in side:
        files["/etc/cni/net.d/10-net.conflist"] = _conflist(_mapping(side, "cni"))
    return files


def _conflist(cni: Entry) -> str:
    named = cni.get("plugins", ["bridge"])
    plugins: list[dict[str, object]] = []
    for plugin in named if isinstance(named, list) else []:
        kind = plugin if isinstance(plugin, dict) else {"type": plugin}
        plugins.append(dict(kind))
    options = {key: value for key, value in cni.items() if key != "plugins"}
    first = plugins[0]
    match first["type"]:
        case "bridge":
            first |= {"bridge": "cni0", "ipam": {"type": "host-local", "subnet": "10.244.1.0/24"}, **options}
        case "flannel":
            first["delegate"] = {"isDefaultGateway": True, **options}
        case _:
            raise NotExpressibleError("a plugin nobody knows")
    for plugin in plugins[1:]:
        if plugin["type"] == "portmap":
            plugin["capabilities"] = {"portMappings": True}
    return json.dumps({"cniVersion": "0.4.0", "name": "cbr0", "plugins": plugins}, indent=2) + "\n"


def _flannel(before: Entry) -> dict[str, str]:
    if "cni" in before:
        return {}
    return {"/etc/cni/net.d/10-net.conflist": _conflist({"plugins": ["flannel", "portmap"]})}


def _binaries(before: Entry) -> list[str]:
    return _lines(before, "cni_bin") or ["bridge", "flannel", "host-local", "loopback", "portmap"]


# Prerequisites


def _with_facts(node: NodeState, before: Entry, words: str) -> NodeState:
    update: dict[str, object] = {}
    listeners = list(node.volatile.listeners)
    if re.search(r"host-network daemons listening below", words):
        listeners += [Listener(protocol="tcp", address="*", port=9100, process="node-exporter")]
    if re.search(r"management or API traffic|6443", words):
        listeners += [Listener(protocol="tcp", address="*", port=6443, process="kube-apiserver")]
    update["listeners"] = tuple(listeners)
    if "neigh_entries" in before:
        update["neighbour_count"] = {"ip": before["neigh_entries"]}
    kernel = (
        "5.15.0"
        if "fixed" not in words and "5.15" in words
        else "5.4.0"
        if "checksum bug" in words
        else "6.1.0"
    )
    return node.model_copy(update={"kernel": kernel, "volatile": node.volatile.model_copy(update=update)})


def _cluster(before: Entry, words: str) -> Cluster:
    services = [
        _service("default", "kubernetes", "10.96.0.1", 443, "TCP"),
        _service("kube-system", "kube-dns", "10.96.0.10", 53, "UDP"),
    ]
    objects = {}
    if re.search(r"NodePorts in use|127\.0\.0\.1:<nodePort>", words):
        services.append(_service("shop", "web", "10.96.5.5", 80, "TCP", node_port=30080))
    objects["services.json"] = json.dumps({"kind": "ServiceList", "items": services})
    if re.search(r"pods with hostPort|a hostPort equal", words):
        pod = {
            "kind": "Pod",
            "metadata": {"namespace": "ingress", "name": "proxy"},
            "spec": {
                "nodeName": world.NODE,
                "containers": [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}],
            },
            "status": {"phase": "Running", "podIPs": [{"ip": "10.244.1.7"}]},
        }
        objects["pods.json"] = json.dumps({"kind": "PodList", "items": [pod]})
    return world.cluster(objects)


def _service(
    namespace: str, name: str, address: str, port: int, protocol: str, *, node_port: int = 0
) -> dict[str, object]:
    ports: dict[str, object] = {
        "protocol": protocol,
        "port": port,
        **({"nodePort": node_port} if node_port else {}),
    }
    kind = "NodePort" if node_port else "ClusterIP"
    return {
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name, "labels": {"k8s-app": name}},
        "spec": {"type": kind, "clusterIP": address, "clusterIPs": [address], "ports": [ports]},
    }
