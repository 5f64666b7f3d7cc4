"""The whole way from a snapshot and a proposal to every report, with inputs that nobody intended."""

import json
import os
from functools import cache
from time import process_time

import pytest
import reader_samples as sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import PULL_REQUEST, hostile_texts, mutated, mutated_json, small_demo

from planner.assess import assess, assess_snapshots
from planner.cohorts import cohorts
from planner.diff.snapshots import diff_snapshots
from planner.errors import NetchangeError
from planner.models.assessment import Assessment
from planner.models.finding import Level
from planner.models.node import NodeState
from planner.models.proposal import Fragment, FragmentKind
from planner.models.snapshot import Snapshot
from planner.parse.snapshot import load_snapshot
from planner.plan.scripts import emit_apply, emit_rollback
from planner.proposal.fragments import decode, recognise
from planner.report import json_v1, markdown, saved, terminal
from planner.report.show import describe

EXAMPLES = int(os.environ.get("NETCHANGE_EXAMPLES", "8"))
SLOWLY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
FILES = {
    path.relative_to(PULL_REQUEST).as_posix(): path.read_text()
    for path in sorted(PULL_REQUEST.rglob("*"))
    if path.is_file()
}
KINDS: dict[FragmentKind, tuple[str, tuple[str, ...]]] = {
    FragmentKind.SYSCTL: (
        "etc/sysctl.d/90-a.conf",
        (FILES["etc/sysctl.d/90-hardening.conf"], sample.SYSCTL_FILE),
    ),
    FragmentKind.IPTABLES_RESTORE: ("a.rules", (FILES["firewall.rules"], sample.SAVE)),
    FragmentKind.IP6TABLES_RESTORE: ("a6.rules", (FILES["firewall.rules"], sample.SAVE)),
    FragmentKind.SCRIPT: ("a.sh", (sample.SCRIPT,)),
    FragmentKind.IP_BATCH: ("a.batch", (sample.BATCH,)),
    FragmentKind.IPSET_RESTORE: ("a.ipset", (sample.IPSET,)),
    FragmentKind.CNI: (
        "etc/cni/net.d/10-flannel.conflist",
        (FILES["etc/cni/net.d/10-flannel.conflist"], sample.CNI),
    ),
    FragmentKind.KUBELET: ("var/lib/kubelet/config.yaml", (sample.KUBELET,)),
    FragmentKind.FILE: ("etc/resolv.conf", (sample.RESOLV, sample.SUBNET)),
}


def printed(assessment: Assessment) -> None:
    """Everything that is ever printed of an assessment."""
    assert terminal.render(assessment, width=40, color=True, full=True)
    assert terminal.render(assessment, width=100, color=False, full=False)
    assert markdown.render(assessment)
    assert json.loads(json_v1.render(assessment))["format"]
    for plan in assessment.plans:
        assert emit_apply(plan)
        assert emit_rollback(plan)
    assert assessment == saved.load(saved.dump(assessment), name="x")


@cache
def demo_proposal() -> tuple[Fragment, ...]:
    return tuple(recognise(path, text) for path, text in FILES.items())


@pytest.mark.parametrize("kind", list(KINDS))
def test_any_proposal_is_assessed_or_refused(kind: FragmentKind) -> None:
    """Half a rule, a key twice, a route to nowhere: changes and gaps, or one sentence."""
    path, texts = KINDS[kind]

    @SLOWLY
    @given(mutated(*texts) | hostile_texts())
    def holds(text: str) -> None:
        try:
            found = recognise(path, decode(text.encode("utf-8", "surrogatepass"), name=path), kind=kind)
        except NetchangeError:
            return
        printed(assess(small_demo(), [found]))

    holds()


@settings(SLOWLY, max_examples=2 * EXAMPLES)
@given(st.data())
def test_any_state_is_assessed_or_refused(data: st.DataObject) -> None:
    """A state that a reader accepted is one that every stage can bear, however strange."""
    try:
        snapshot = load_snapshot(
            json.dumps(data.draw(mutated_json(as_json()))).encode("utf-8", "surrogatepass"), name="x"
        )
    except NetchangeError:
        return
    if len({node.name for node in snapshot.nodes}) != len(snapshot.nodes):
        return
    printed(assess(snapshot, demo_proposal()))
    describe(snapshot, width=40, color=False)


@cache
def as_json() -> object:
    node = small_demo().nodes[0]
    wanted = {
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.ip_local_port_range",
        "net.netfilter.nf_conntrack_max",
    }
    few = node.model_copy(
        update={"sysctls": {key: value for key, value in node.sysctls.items() if key in wanted}}
    )
    return json.loads(small_demo().model_copy(update={"nodes": (few,)}).model_dump_json())


@cache
def demo_assessment() -> object:
    return json.loads(saved.dump(assess(small_demo(), demo_proposal())))


@settings(SLOWLY, max_examples=3 * EXAMPLES)
@given(st.data())
def test_a_saved_assessment_is_drawn_or_refused(data: st.DataObject) -> None:
    """It came by mail, from another version, or from somebody who wants the report to say something else."""
    try:
        assessment = saved.load(
            json.dumps(data.draw(mutated_json(demo_assessment()))).encode("utf-8", "surrogatepass"), name="x"
        )
    except NetchangeError:
        return
    printed(assessment)


@settings(SLOWLY, max_examples=2 * EXAMPLES)
@given(st.data())
def test_hostile_text_in_every_field_stays_text(data: st.DataObject) -> None:
    """Every string of an assessment may come from a stranger: no control character, mention or markup of it comes alive."""
    evil = data.draw(hostile_texts())
    document = replaced(demo_assessment(), f"\x1b]0;x\x07\u202e@team </details><script>{evil}")
    try:
        assessment = saved.load(json.dumps(document).encode("utf-8", "surrogatepass"), name="x")
    except NetchangeError:
        return
    drawn = terminal.render(assessment, width=60, color=False, full=True)
    comment = markdown.render(assessment)

    assert not set("\x1b\x07\u202e\x00\x85\u2028") & set(drawn + comment)
    assert "<script>" not in outside_code(comment)


def outside_code(comment: str) -> str:
    """What a Markdown reader does not take as code: fences, then spans, left out."""
    lines, fence = [], ""
    for line in comment.split("\n"):
        opening = line.strip()
        if fence:
            fence = "" if opening == fence else fence
        elif opening.startswith("```"):
            fence = opening.rstrip("abcdefghijklmnopqrstuvwxyz")
        else:
            lines.append(line)
    text = "\n".join(lines)
    for ticks in range(9, 0, -1):
        mark = "`" * ticks
        parts = text.split(mark)
        text = "".join(parts[::2]) if len(parts) % 2 else text
    return text


FREE = frozenset(
    {
        "message",
        "title",
        "sentence",
        "reason",
        "undo",
        "remedy",
        "unknown_because",
        "summary",
        "what",
        "about",
        "stop_reason",
        "remark",
        "rule",
        "chain",
        "key",
        "before",
        "after",
        "path",
        "node",
        "name",
        "text",
        "expect",
        "taken_at",
        "netchange",
        "stderr",
        "section",
    }
)


def replaced(value: object, evil: str, key: str = "") -> object:
    """The document with every free text followed by the hostile one."""
    if isinstance(value, dict):
        return {name: replaced(inside, evil, name) for name, inside in value.items()}
    if isinstance(value, list):
        return [replaced(inside, evil, key) for inside in value]
    return value + evil if isinstance(value, str) and key in FREE else value


LONG = 60_000
RUNS = (
    "\n",
    " ",
    " \n",
    "a",
    "a.",
    "/",
    "-",
    '"',
    "(",
    "\\",
    "\\\n",
    "{",
    "[",
    "$",
    ":",
    "#\n",
    "*",
    "`",
    "1,",
    "\t",
    "x=",
    "<<E\n",
)


@pytest.mark.parametrize("run", RUNS, ids=[repr(run) for run in RUNS])
def test_a_long_run_of_one_character_takes_no_time(run: str) -> None:
    """Time grows with the length of an input, not with its square: a hundred kilobytes must not stop a pipeline."""
    start = process_time()
    for kind in (None, *KINDS):
        try:
            found = recognise("x", run * LONG + "x", kind=kind)
        except NetchangeError:
            continue
        assess(small_demo(), [found])

    assert 10 > process_time() - start


def test_the_present_state_as_a_proposal_changes_nothing() -> None:
    """Whoever proposes what is there already is told so."""
    found = assess_snapshots(small_demo(), small_demo(), name="same")

    assert (Level.NONE, (), ()) == (found.level, found.changes, found.findings)


def test_files_of_the_node_as_a_proposal_change_nothing() -> None:
    """A pull request that installs the files that are there."""
    node = small_demo().nodes[0]
    wanted = (
        "/etc/sysctl.d/99-kubernetes-cri.conf",
        "/etc/cni/net.d/10-flannel.conflist",
        "/var/lib/kubelet/config.yaml",
    )
    found = assess(
        small_demo(), [recognise(path.removeprefix("/"), node.files[path].text or "") for path in wanted]
    )

    assert [] == [scored.change for scored in found.changes]


def test_the_difference_of_a_state_to_itself_is_empty() -> None:
    """Also after it was written and read."""
    again = load_snapshot(small_demo().model_dump_json().encode(), name="x")
    result = diff_snapshots(small_demo(), again)

    assert ((), (), ()) == (tuple(result.changes), result.only_before, result.only_after)


@settings(SLOWLY, max_examples=4)
@given(st.permutations(range(3)), st.data())
def test_the_order_of_nodes_changes_no_report(order: list[int], data: st.DataObject) -> None:
    """Equal inputs, equal octets: also when the collector listed the nodes otherwise."""
    nodes = [renamed(small_demo().nodes[0], number) for number in range(3)]
    straight = fleet(nodes)
    mixed = fleet([nodes[number] for number in order])
    first, second = assess(straight, demo_proposal()), assess(mixed, demo_proposal())

    assert cohorts(straight) == cohorts(mixed)
    assert terminal.render(first, width=80, color=False, full=True) == terminal.render(
        second, width=80, color=False, full=True
    )
    assert markdown.render(first) == markdown.render(second)
    assert json_v1.render(first) == json_v1.render(second)


def renamed(node: NodeState, number: int) -> NodeState:
    """The last of them is of another cohort."""
    sysctls = {**node.sysctls, "net.ipv4.ip_forward": "0"} if number == 2 else node.sysctls
    return node.model_copy(update={"name": f"worker-{number}", "sysctls": sysctls})


def fleet(nodes: list[NodeState]) -> Snapshot:
    return small_demo().model_copy(update={"nodes": tuple(nodes)})
