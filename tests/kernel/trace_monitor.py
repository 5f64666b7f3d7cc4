"""What the kernel itself says about the rules that a packet meets: `nft monitor trace`, read while packets arrive."""

import json
import os
import re
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from namespace import Namespace

TABLE = """
table ip tracing {
  chain arriving { type filter hook prerouting priority -400; meta l4proto { tcp, udp } th sport 39001-40000 meta nftrace set 1; }
  chain sent { type filter hook output priority -400; meta l4proto { tcp, udp } th sport 39001-40000 meta nftrace set 1; }
}
"""
"""A table of its own, before every other: nothing of the node's rules is touched."""
RULE = re.compile(r"trace id (\w+) ip (\S+) (\S+) rule .*# handle (\d+) \(verdict (\w+)(?: \S+)?\)$")
PACKET = re.compile(r"trace id (\w+) ip \S+ \S+ packet: .*?sport (\d+) \w+ dport (\d+)")
VXLAN = "8472"
Met = tuple[str, str, int]
"""Table, chain and 1-based position of a rule."""


class Monitor:
    """A running monitor, and where each rule stands."""

    def __init__(self, node: Namespace, process: "subprocess.Popen[bytes]") -> None:
        self._output = process.stdout
        self._rest = b""
        self._places: dict[tuple[str, str, str], int] = {}
        seen: dict[tuple[str, str], int] = {}
        for entry in json.loads(node.sh("nft -j list ruleset"))["nftables"]:
            rule = entry.get("rule")
            if rule is not None and rule["family"] == "ip":
                chain = rule["table"], rule["chain"]
                seen[chain] = seen.get(chain, 0) + 1
                self._places[*chain, str(rule["handle"])] = seen[chain]

    def until(self, port: int, send: Callable[[int], None]) -> list[str]:
        """Every line up to the first about a packet with that source port, which is sent until it shows."""
        found: list[str] = []
        while True:
            send(port)
            while self._ready():
                found += self._lines()
                if any(self._source(line) == str(port) for line in found):
                    return found

    def _ready(self) -> bool:
        assert self._output is not None
        return bool(select.select([self._output], [], [], 0.2)[0])

    def _lines(self) -> list[str]:
        assert self._output is not None
        *lines, self._rest = (self._rest + os.read(self._output.fileno(), 65536)).split(b"\n")
        return [line.decode().rstrip() for line in lines]

    @staticmethod
    def _source(line: str) -> str:
        found = PACKET.match(line)
        return found[2] if found else ""

    def met(self, lines: list[str], before: int) -> list[Met]:
        """The rules of the node that a packet met, in order; those for its vxlan shell and for other packets are left out."""
        others = {
            found[1]
            for line in lines
            if (found := PACKET.match(line)) and (found[3] == VXLAN or int(found[2]) < before)
        }
        rules = [found for line in lines if (found := RULE.match(line))]
        return [
            (table, chain, self._places[table, chain, handle])
            for key, table, chain, handle, _ in (found.groups() for found in rules)
            if table != "tracing" and key not in others
        ]


@contextmanager
def monitor(node: Namespace) -> Iterator[Monitor]:
    """From now on every packet from a port between 39001 and 40000 is traced."""
    node.run(["nft", "-f", "-"], stdin=TABLE)
    argv = ["nsenter", "-t", str(node.pid), "-n", "nft", "-a", "monitor", "trace"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            yield Monitor(node, process)
        finally:
            process.terminate()
            node.sh("nft delete table ip tracing")
