"""Which packets a change moves, on generated kube-proxy nodes: seconds, memory and answers, every figure of this run.

python -m benchmarks.dataplane                     1,000 and 20,000 services
python -m benchmarks.dataplane --services 1000     one size
python -m benchmarks.dataplane --markdown          the table for the documentation
"""

import argparse
import gc
import json
import resource
import sys
import time

from benchmarks.kubeproxy import Service, iptables_save, make_services
from benchmarks.measure import machine, run_once
from planner.dataplane.symbolic.compare import Analysis, compare
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, Route
from planner.parse.iptables_save import parse_iptables_save

SIZES = (1_000, 20_000)
FIRST = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
KINDS = {
    "service": "one rule of KUBE-SERVICES has another port",
    "endpoint": "one endpoint has another address",
    "drop": "one pod's port is dropped in FORWARD",
    "networks": "a /24 to a /24 is dropped in FORWARD",
    "route": "a pod network has another next hop",
    "forwarding": "one link no longer forwards (all packets by it)",
}
KNOBS = {
    "rp_filter": "0", "accept_local": "0", "src_valid_mark": "0", "route_localnet": "0", "forwarding": "1",
    "bc_forwarding": "0", "send_redirects": "1", "ignore_routes_with_linkdown": "0",
}  # fmt: skip


def node(text: str) -> NodeState:
    """A flannel node with that packet filter."""
    rules, gaps = parse_iptables_save(text, family="ip", backend="nft")
    if gaps:
        raise SystemExit(f"{gaps[0]}")
    links = (
        Link(name="lo", addresses=(Address(address="127.0.0.1", length=8, scope="host"),)),
        Link(name="eth0", addresses=(Address(address="192.168.0.10", length=24),)),
        Link(name="cni0", kind="bridge", addresses=(Address(address="10.244.3.1", length=24),)),
        Link(name="flannel.1", kind="vxlan", addresses=(Address(address="10.244.3.0", length=32),)),
    )
    return NodeState(
        name="node", rulesets=(rules,), links=links, routes=tuple(routes("10.244.7.0")),
        sysctls={
            f"net.ipv4.conf.{link.replace('.', '/')}.{knob}": value
            for link in ("all", "lo", "eth0", "cni0", "flannel.1")
            for knob, value in KNOBS.items()
        },
    )  # fmt: skip


def routes(hop: str) -> list[Route]:
    """A default route, and one for the pods of every node."""
    found = [
        Route(family="ip", prefix="0.0.0.0/0", nexthops=(NextHop(via="192.168.0.1", link="eth0"),)),
        Route(family="ip", prefix="192.168.0.0/24", nexthops=(NextHop(link="eth0"),)),
        Route(family="ip", prefix="10.244.3.0/24", nexthops=(NextHop(link="cni0"),)),
    ]
    for number in range(4, 200):
        via = hop if number == 7 else f"10.244.{number}.0"
        found.append(
            Route(
                family="ip",
                prefix=f"10.244.{number}.0/24",
                nexthops=(NextHop(via=via, link="flannel.1", onlink=True),),
            )
        )
    return found


def pair(kind: str, services: list[Service]) -> tuple[NodeState, NodeState]:
    """Before and after, read from their texts one by one, as from two files."""
    text = iptables_save(services)
    middle = services[len(services) // 2]
    address, _, _ = middle.endpoints[0].partition(":")
    changed = text
    match kind:
        case "service":
            rule = f'"{middle.name} cluster IP" -m tcp --dport {middle.port} -j {middle.chain}'
            changed = text.replace(
                rule, rule.replace(f"--dport {middle.port}", f"--dport {middle.port + 1}"), 1
            )
        case "endpoint":
            at = f"-j DNAT --to-destination {middle.endpoints[0]}\n"
            changed = text.replace(at, "-j DNAT --to-destination 10.250.1.1:8080\n", 1)
        case "drop":
            changed = text.replace(
                FIRST, f"-A KUBE-FORWARD -d {address}/32 -p tcp -m tcp --dport 8080 -j DROP\n{FIRST}"
            )
        case "networks":
            changed = text.replace(
                FIRST, f"-A KUBE-FORWARD -s 10.244.9.0/24 -d 10.244.7.0/24 -j DROP\n{FIRST}"
            )
    before, after = node(text), node(changed)
    if kind == "route":
        after = after.model_copy(update={"routes": tuple(routes("10.244.8.0"))})
    if kind == "forwarding":
        after = after.model_copy(update={"sysctls": {**after.sysctls, "net.ipv4.conf.cni0.forwarding": "0"}})
    if before == after:
        raise SystemExit(f"{kind}: nothing was changed")
    return before, after


def step(kind: str, count: int) -> None:
    """One change, in a process of its own."""
    before, after = pair(kind, make_services(count))
    gc.collect()
    gc.freeze()
    started = time.perf_counter()
    found = compare(before, after)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    part = Analysis(before, after)
    answer = f"{len(found.classes)} classes, {len(found.newly_blocked)} newly blocked"
    if found.unknown:
        answer = f"unknown: {found.unknown[0]}"
    print(
        json.dumps({"wall": wall, "peak": peak, "share": part.space.share(part.region()), "answer": answer})
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--services", type=int, action="append")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--step", choices=sorted(KINDS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        step(chosen.step, chosen.services[0])
        return
    print(machine(), file=sys.stderr)
    head = ("services", "change", "compare s", "peak MiB", "answer")
    if chosen.markdown:
        print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for count in chosen.services or SIZES:
        for kind, words in KINDS.items():
            argv = (sys.executable, "-m", "benchmarks.dataplane", "--services", str(count), "--step", kind)
            run = run_once(argv, limit=900)
            if run.status != 0:
                cells = (
                    f"{count:,}",
                    words,
                    "-",
                    f"{run.peak / 2**20:.0f}",
                    run.errors.strip()[-60:] or "stopped",
                )
            else:
                got = json.loads(run.output)
                cells = (
                    f"{count:,}",
                    words,
                    f"{got['wall']:.2f}",
                    f"{got['peak'] / 1024:.0f}",
                    got["answer"],
                )
            print(f"| {' | '.join(cells)} |" if chosen.markdown else "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
