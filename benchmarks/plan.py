"""What `netchange plan` costs as a whole process, from files to report, for small and for sweeping changes of large nodes.

python -m benchmarks.plan                     all sizes
python -m benchmarks.plan --services 1000     one size
python -m benchmarks.plan --markdown          the table for the documentation
"""

import argparse
import gzip
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.kubeproxy import POD_RANGE, Service, iptables_save, make_services
from benchmarks.measure import Run, machine, run_median, run_once
from benchmarks.table import draw
from planner.emit.snapshot import dump_snapshot
from planner.models.ruleset import Table
from planner.models.snapshot import Snapshot
from planner.parse.iptables_save import parse_iptables_save

SIZES = (1_000, 5_000, 20_000)
PYTHON = (sys.executable, "-X", "utf8")
COMMAND = (*PYTHON, "-c", "from planner.cli.main import main; main()", "plan", "--format", "json", "--before")
DEMO = Path(__file__).parent.parent / "docs" / "demo" / "node.json.gz"
RANGE = "10.244.0.0/15"
"""Of the pods that `make_services` names; the demonstration's own is half of it."""
HOPS = tuple(f"10.{high}.{low}" for high in (244, 245) for low in range(256))
BEFORE = "before.json"
SCRIPTS = {
    "forward-drop": "iptables -I FORWARD 1 -d {pod}/32 -p tcp -m tcp --dport 8080 -j DROP\n",
    "default-route": "ip route replace default via 10.0.0.254 dev eth0\n",
    "pod-route": "ip route replace 10.244.7.0/24 via 10.244.8.0 dev flannel.1 onlink\n",
    "ip-forward": "sysctl -w net.ipv4.ip_forward=0\n",
    "forward-policy": "iptables -P FORWARD DROP\n",
}
CASES = {
    "forward-drop": "a pod's port dropped in FORWARD (script)",
    "kube-drop": "a pod's port dropped in KUBE-FORWARD (snapshot)",
    "networks-drop": "a /24 to a /24 dropped in KUBE-FORWARD (snapshot)",
    "service": "another port of a Service (snapshot)",
    "endpoint": "another address of an endpoint (snapshot)",
    "default-route": "another default route (script)",
    "pod-route": "another next hop of a pod network (script)",
    "forward-policy": "policy of FORWARD becomes DROP: all packets (script)",
    "ip-forward": "ip_forward off: all packets (script)",
}
HEAD = ("`netchange plan`, whole process", "wall s", "CPU s", "peak MiB", "answer")


def write_inputs(count: int, folder: Path) -> str:
    """The snapshot before, a file for each proposal, and a sentence about them."""
    services = make_services(count)
    middle = services[count // 2]
    pod = middle.endpoints[0].partition(":")[0]
    for name, script in SCRIPTS.items():
        (folder / f"{name}.sh").write_text(script.format(pod=pod))
    before = node(iptables_save(services).replace(POD_RANGE, RANGE))
    _write(folder / BEFORE, before)
    for name, (table, chain, old, new) in edits(middle, pod).items():
        _write(folder / f"{name}.json", edited(before, table, chain, old, new))
    rules = next(held for held in before.nodes[0].rulesets if held.family == "ip").size
    return f"{count:,} services: {rules:,} rules"


def edits(service: Service, pod: str) -> dict[str, tuple[str, str, str, str]]:
    """Table, chain, and what is replaced in the chain's text by what."""
    invalid = "-m conntrack --ctstate INVALID -j DROP"
    port, at = f"-m tcp --dport {service.port} -j {service.chain}", service.endpoints[0]
    return {
        "kube-drop": (
            "filter", "KUBE-FORWARD", invalid, f"-d {pod}/32 -p tcp -m tcp --dport 8080 -j DROP\n{invalid}",
        ),
        "networks-drop": (
            "filter", "KUBE-FORWARD", invalid, f"-s 10.244.9.0/24 -d 10.244.7.0/24 -j DROP\n{invalid}",
        ),
        "service": ("nat", "KUBE-SERVICES", port, port.replace(f"{service.port}", f"{service.port + 1}", 1)),
        "endpoint": (
            "nat", service.endpoint_chain(at), f"--to-destination {at}", "--to-destination 10.245.201.77:8080",
        ),
    }  # fmt: skip


def edited(snapshot: Snapshot, name: str, chain: str, old: str, new: str) -> Snapshot:
    """The snapshot with a rule changed."""
    node = snapshot.nodes[0]
    rules = next(held for held in node.rulesets if held.family == "ip" and name in held.tables)
    table = rules.tables[name]
    text = "\n".join(table.chains[chain])
    if text.count(old) != 1:
        raise SystemExit(f"{chain}: what is to be changed is not there once")
    chains = {**table.chains, chain: tuple(text.replace(old, new).split("\n"))}
    other = rules.model_copy(
        update={"tables": {**rules.tables, name: table.model_copy(update={"chains": chains})}}
    )
    held = tuple(other if one is rules else one for one in node.rulesets)
    return snapshot.model_copy(update={"nodes": (node.model_copy(update={"rulesets": held}),)})


def node(text: str) -> Snapshot:
    """The demonstration's node in a cluster of 512, with these Services beside its own and its pods."""
    demo = gzip.decompress(DEMO.read_bytes()).decode().replace(POD_RANGE, RANGE)
    snapshot = Snapshot.model_validate_json(demo)
    one = snapshot.nodes[0]
    made, gaps = parse_iptables_save(text, family="ip", backend="nft")
    if gaps:
        raise SystemExit(f"{gaps[0]}")
    rules = next(held for held in one.rulesets if held.family == "ip" and held.size)
    nat = both(rules.tables["nat"], made.tables["nat"])
    merged = rules.model_copy(update={"tables": {**rules.tables, "nat": nat}})
    known = {route.prefix for route in one.routes}
    like = next(route for route in one.routes if route.prefix == "10.244.2.0/24")
    hop = like.nexthops[0]
    routes = [
        like.model_copy(update={"prefix": f"{net}.0/24", "nexthops": (hop.model_copy(update={"via": f"{net}.0"}),)})
        for net in HOPS
        if f"{net}.0/24" not in known
    ]  # fmt: skip
    beside = next(held for held in one.neighbours if held.address == "10.244.2.0")
    told = {held.address for held in one.neighbours} | {"10.244.1.0"}
    neighbours = [
        beside.model_copy(update={"address": f"{net}.0", "mac": f"5e:0a:00:00:{at >> 8:02x}:{at & 255:02x}"})
        for at, net in enumerate(HOPS)
        if f"{net}.0" not in told
    ]
    state = one.model_copy(
        update={
            "rulesets": tuple(merged if held is rules else held for held in one.rulesets),
            "routes": (*one.routes, *routes),
            "neighbours": (*one.neighbours, *neighbours),
        }
    )
    return snapshot.model_copy(update={"nodes": (state,)})


def both(own: Table, made: Table) -> Table:
    """The rules of two tables of kube-proxy; the node's own come first, and node ports last."""
    chains = {**made.chains, **own.chains}
    *services, last = own.chains["KUBE-SERVICES"]
    chains["KUBE-SERVICES"] = (*services, *made.chains["KUBE-SERVICES"][:-1], last)
    ports = {re.search(r"--dport (\d+)", rule)[1] for rule in own.chains["KUBE-NODEPORTS"]}  # type: ignore[index]
    chains["KUBE-NODEPORTS"] = (
        *own.chains["KUBE-NODEPORTS"],
        *(rule for rule in made.chains["KUBE-NODEPORTS"] if not ports.intersection(rule.split())),
    )
    return own.model_copy(update={"chains": chains})


def _write(path: Path, snapshot: Snapshot) -> None:
    path.write_bytes(dump_snapshot(snapshot))


def rows(folder: Path, *, runs: int, limit: float) -> Iterator[tuple[str, ...]]:
    """One line for each change."""
    for name, words in CASES.items():
        proposal = next(folder.glob(f"{name}.*"))
        run = run_median((*COMMAND, str(folder / BEFORE), str(proposal)), runs=runs, limit=limit)
        if run.status != 0:
            trouble = f"exit {run.status}: {' '.join(run.errors.split())[-80:]}"
            yield words, "", "", "", f"stopped after {limit:.0f} s" if run.status is None else trouble
        else:
            yield words, f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{run.peak / 2**20:.0f}", answer(run)


def answer(run: Run) -> str:
    """What was found, in short."""
    told = json.loads(run.output)
    doubts = told["packets_unknown"]
    return (
        f"unknown: {doubts[0]}" if doubts else f"{told['level']}, {len(told['packets'])} classes of packets"
    )


def measured(count: int, *, runs: int, limit: float) -> tuple[str, list[tuple[str, ...]]]:
    """One size: the sentence about its inputs, and the table with its head."""
    with tempfile.TemporaryDirectory() as folder:
        argv = (*PYTHON, "-m", "benchmarks.plan", "--services", str(count), "--write", folder)
        # Another process makes them: what this one holds would count as the peak of every process that it starts.
        made = run_once(argv, limit=600)
        if made.status != 0:
            raise SystemExit(made.errors)
        return made.output.strip(), [HEAD, *rows(Path(folder), runs=runs, limit=limit)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, action="append", help="a size; may be given several times")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is shown")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a run is stopped")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", type=Path, help="write the inputs of one size to this folder, and no more")
    chosen = parser.parse_args()
    if chosen.write:
        print(write_inputs((chosen.services or SIZES)[0], chosen.write))
        return
    print(f"{machine()}; median of {chosen.runs}")
    for count in chosen.services or SIZES:
        about, lines = measured(count, runs=chosen.runs, limit=chosen.limit)
        draw(about, lines, markdown=chosen.markdown)


if __name__ == "__main__":
    main()
