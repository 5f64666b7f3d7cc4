"""What a namespace holds, as the model sees it: sysctls, links with addresses, IPv6 routes."""

import json

from namespace import Namespace

from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import LOCAL, MAIN, NextHop, Route
from planner.parse.sysctl import parse_sysctl_values

TABLES = {"main": MAIN, "local": LOCAL}
VOLATILE = (
    "net.netfilter.nf_conntrack_count",
    "net.ipv4.tcp_fastopen_key",
    "net.ipv4.fib_multipath_hash_seed",
)


def values(node: Namespace) -> dict[str, str]:
    """Every readable key of net.* there."""
    text = node.run(["grep", "-r", "", "/proc/sys/net"], check=False).stdout
    read, gaps = parse_sysctl_values(text)
    assert () == gaps
    return {key: value for key, value in read.items() if key not in VOLATILE}


def links(node: Namespace) -> tuple[Link, ...]:
    """Links with addresses."""
    return tuple(
        Link(
            name=raw["ifname"],
            mac=raw.get("address", ""),
            up="UP" in raw["flags"],
            carrier="LOWER_UP" in raw["flags"],
            mtu=raw["mtu"],
            addresses=tuple(
                Address(
                    address=a["local"],
                    length=a["prefixlen"],
                    scope=a["scope"],
                    dynamic=a.get("dynamic", False),
                )
                for a in raw["addr_info"]
            ),
        )
        for raw in json.loads(node.run(["ip", "-j", "addr"]).stdout)
    )


def routes6(node: Namespace) -> tuple[Route, ...]:
    """IPv6 routes of the main table."""
    return tuple(
        Route(
            family="ip6",
            table=MAIN,
            prefix="::/0" if raw["dst"] == "default" else raw["dst"],
            protocol=raw.get("protocol", ""),
            metric=raw.get("metric", 0),
            nexthops=(NextHop(via=raw.get("gateway", ""), link=raw["dev"]),),
        )
        for raw in json.loads(node.run(["ip", "-6", "-j", "route", "show", "table", "main"]).stdout)
    )


def state(node: Namespace) -> NodeState:
    """The namespace as a node state."""
    return NodeState(name="lab", sysctls=values(node), links=links(node), routes=routes6(node))


def write(node: Namespace, key: str, value: str) -> str:
    """Write as a shell would; what the kernel complains, or an empty string."""
    path = "/proc/sys/" + key.translate(str.maketrans("./", "/."))
    result = node.run(["sh", "-c", f'printf "%s\\n" "$1" > {path}', "sh", value], check=False)
    return result.stderr.strip()


def write_many(node: Namespace, pairs: list[tuple[str, str]]) -> list[bool]:
    """Write all in one process; for each whether the kernel took it."""
    script = (
        "import sys, json\n"
        "out = []\n"
        "for key, value in json.load(sys.stdin):\n"
        "    path = '/proc/sys/' + key.translate(str.maketrans('./', '/.'))\n"
        "    try:\n"
        "        with open(path, 'wb', buffering=0) as file:\n"
        "            file.write((value + '\\n').encode())\n"
        "        out.append(True)\n"
        "    except OSError:\n"
        "        out.append(False)\n"
        "print(json.dumps(out))\n"
    )
    taken: list[bool] = json.loads(node.run(["python3", "-c", script], stdin=json.dumps(pairs)).stdout)
    return taken
