"""Rule sets that people really run, met by packets made from their own rules: the model says what the kernel does."""

import os
import re
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet
from oracle.compare import Comparison, Tally, Verdict, compare
from oracle.dump import Dump, load
from oracle.probe import probe
from oracle.run import traces
from oracle.stage import Stage
from plan_node import observe

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
ALL = bool(os.environ.get("NETCHANGE_ALL_DATA"))
SIX = re.compile(r" -[sd] [0-9a-f]*:|icmp6-")
RULES = 400 if ALL else 120
"""Rules of one set that packets are made from."""


def _chosen() -> list[Path]:
    """Sets that the tools of this machine take, each once; of many alike some."""
    index = DATA / "real" / "INDEX.tsv"
    if not index.is_file():
        return []
    found: list[Path] = []
    seen: set[str] = set()
    alike = 0
    for row in index.read_text(encoding="utf-8").splitlines()[1:]:
        path, kind, *_ = row.split("\t")
        if not kind.startswith(("iptables-", "pairs/iptables")) or "nft ok" not in row.split("\t")[9]:
            continue
        text = (DATA / "real" / path).read_text(encoding="utf-8", errors="replace")
        if text in seen or "-A " not in text:
            continue
        seen.add(text)
        if kind == "iptables-docker" or len(text) > 100_000:
            alike += 1
            if alike % 8 and not ALL:
                continue
        found.append(DATA / "real" / path)
    recorded = sorted((DATA / "kube-proxy-recorded").glob("*.iptables-save"))
    return [*found, *(recorded if ALL else recorded[:1])]


FILES = _chosen()
pytestmark = pytest.mark.skipif(not FILES, reason="the real rule sets are not here")


def _family(path: Path, text: str) -> str:
    return "ip6" if "ip6" in path.name or SIX.search(text) else "ip"


@cache
def judged(path: Path, backend: str) -> tuple[Tally, tuple[Comparison, ...], int, int]:
    """What came of one set; from how many rules packets were made, and how many rules the kernel saw met."""
    text = path.read_text(encoding="utf-8", errors="replace")
    dump = Dump(text, _family(path, text))
    made = [(line, flow) for line, flow in dump.flows(RULES)]
    tally, bad = Tally(states=1), []
    with Stage() as stage:
        load(stage, dump, backend, [flow for _, flow in made])
        seen = observe(stage.node)
        for _, flow in made:
            found = compare(flow, probe(stage, flow), traces(seen, flow))
            tally.add(found)
            bad += [found] if found.verdict is Verdict.DISAGREE else []
        tool = f"ip{'6' if dump.family == 'ip6' else ''}tables-{backend}-save"
        counted = stage.node.run([tool, "-c"]).stdout.splitlines()
    met = len([line for line in counted if line.startswith("[") and not line.startswith("[0:")])
    return tally, tuple(bad), len(dump.sample(RULES)), met


def _parameters() -> list[ParameterSet]:
    backends = ("nft", "legacy")
    return [
        pytest.param(path, backends[number % 2], id=f"{path.relative_to(DATA)} {backends[number % 2]}")
        for number, path in enumerate(FILES)
    ]


@pytest.mark.parametrize(("path", "backend"), _parameters())
def test_the_model_knows_what_becomes_of_packets_of_real_rules(path: Path, backend: str) -> None:
    """Packets that meet the rules of a set, and packets that miss them by one thing."""
    tally, bad, *_ = judged(path, backend)

    assert not bad, f"{len(bad)} of {tally.probes} disagree; the first:\n{bad[0]}"


def test_packets_meet_rules() -> None:
    """Made from rules, they meet about as many; few of them hang on what is not known."""
    whole, made, met = Tally(), 0, 0
    for parameters in _parameters():
        tally, _, of, seen = judged(*parameters.values)
        whole.merge(tally)
        made, met = made + of, met + seen
    print(whole, f"{met} rules met by packets made from {made}", sep="\n")

    assert 2 * met > made
    assert whole.verdicts[Verdict.UNKNOWN] < 0.05 * whole.probes
