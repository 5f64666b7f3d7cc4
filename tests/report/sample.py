"""One small assessment with everything a format must draw: hostile names, an unknown, a gap, residue, drift."""

from planner.models.assessment import Assessment, CatalogueEntry, Cohort, ScoredChange, ScoredFinding
from planner.models.change import Cause, RuleChange, RuleEdit, SysctlChange
from planner.models.comparison import Comparison, Ending, Exactness, Loss, NodeComparison, PacketClass
from planner.models.finding import Confidence, Extent, Finding, Level, Reversibility
from planner.models.flow import Disposition, Entry, Flow, Hop, Trace
from planner.models.horizon import Horizon
from planner.models.invariant import Holding, Kept, Path, Walked
from planner.models.plan import Action, Plan, Residue, Step, UndoKind
from planner.models.proposal import Command, Fragment, FragmentKind
from planner.models.score import BlastRadius, Score
from planner.models.source import Gap, Source
from planner.models.traffic import TrafficClass

WHERE = Source(name="etc/sysctl.d/90-a.conf", line=3)
FORWARD = SysctlChange(node="worker-1", key="net.ipv4.ip_forward", before="1", after="0", source=WHERE)
COPIED = SysctlChange(
    node="worker-1",
    key="net.ipv4.conf.eth0.forwarding",
    before="1",
    after="0",
    cause=Cause.KERNEL,
    source=WHERE,
)
HOSTILE = RuleChange(
    node="worker-1",
    family="ip",
    backend="nft",
    table="filter",
    chain="INPUT",
    edit=RuleEdit.ADDED,
    rule='-m comment --comment "</details> @team `x` | \x1b[31m" -j DROP',
    before=None,
    after=1,
    source=Source(name="fw.rules", line=2),
)


def score(level: Level, number: float, **update: object) -> Score:
    base = Score(
        level=level,
        number=number,
        blast=BlastRadius(nodes=("worker-1",), sentence="No traffic class of worker-1 is lost."),
        confidence=Confidence.PROVEN,
        onset=Horizon.NOW,
        reversibility=Reversibility.FULL,
        why={"level": "A traffic class is lost for practically all pods of the node."},
    )
    return base.model_copy(update=update)


def sample() -> Assessment:
    """Built by hand: the reports are views, and must not need the pipeline."""
    lost = Finding(
        risk="ip-forward-off",
        change=FORWARD,
        related=(COPIED,),
        message="24 pods on worker-1 stop reaching other nodes and the outside.",
        breaks=(TrafficClass.POD_TO_EXTERNAL,),
        extent=Extent.TOTAL,
        remedy="Leave the key at 1.",
    )
    unknown = Finding(
        risk="packets-not-decided",
        change=HOSTILE,
        message="Whether the rules of table filter take something away is not decided.",
        confidence=Confidence.UNKNOWN,
        unknown_because="the match string is not modelled",
        extent=Extent.PARTIAL,
    )
    blast = BlastRadius(
        traffic=(TrafficClass.POD_TO_EXTERNAL,),
        nodes=("worker-1",),
        pods=24,
        workloads=("shop/Deployment/web",),
        namespaces=("shop",),
        sentence="pod-to-external on worker-1 (1 of 1 nodes): 24 pods.",
    )
    step = Step(
        number=1,
        node="worker-1",
        title="set net.ipv4.ip_forward to 0",
        operation=Command(argv=("sysctl", "-w", "net.ipv4.ip_forward=0"), source=WHERE),
        source=WHERE,
        undo=(Action(argv=("sysctl", "-w", "net.ipv4.ip_forward=1")),),
        undo_kind=UndoKind.RESTORE,
        safe_to_stop=False,
        stop_reason="forwarding is off",
    )
    return Assessment(
        netchange="0.1.0",
        taken_at="2026-01-02T03:04:05Z",
        title="CIS hardening",
        level=Level.CRITICAL,
        fragments=(
            Fragment(
                path="etc/sysctl.d/90-a.conf",
                kind=FragmentKind.SYSCTL,
                target="/etc/sysctl.d/90-a.conf",
                text="net.ipv4.ip_forward = 0\n",
            ),
            Fragment(
                path="fw.rules", kind=FragmentKind.IPTABLES_RESTORE, target="", text="*filter\nCOMMIT\n"
            ),
        ),
        nodes=("worker-1",),
        cohorts=(Cohort(representative="worker-1", nodes=("worker-1",)),),
        changes=(
            ScoredChange(change=FORWARD, score=score(Level.CRITICAL, 9.4), findings=(0,)),
            ScoredChange(change=COPIED, score=score(Level.CRITICAL, 9.4), findings=(0,)),
            ScoredChange(change=HOSTILE, score=score(Level.MEDIUM, 4.2), findings=(1,)),
        ),
        findings=(
            ScoredFinding(finding=lost, score=score(Level.CRITICAL, 9.4, blast=blast)),
            ScoredFinding(finding=unknown, score=score(Level.MEDIUM, 4.2, confidence=Confidence.UNKNOWN)),
        ),
        drift=(
            SysctlChange(
                node="worker-1", key="net.core.somaxconn", before="4096", after="128", horizon=Horizon.REBOOT
            ),
        ),
        gaps=(
            Gap(section="proposal", reason="not understood: a pipeline", source=Source(name="a.sh", line=7)),
        ),
        catalogue={
            "ip-forward-off": CatalogueEntry(id="ip-forward-off", title="IPv4 forwarding is turned off")
        },
        plans=(
            Plan(
                node="worker-1",
                steps=(step,),
                not_undoable=(
                    Residue(what="open connections", reason="they broke while forwarding was off"),
                ),
            ),
        ),
        packets=(NodeComparison(node="worker-1", horizon=Horizon.NOW, comparison=comparison()),),
        invariants=(kept(),),
        checked=("worker-1, at once: of 2 paths that must stay open 1 hold, 1 newly broken.",),
    )


def comparison() -> Comparison:
    """One part lost wholly, one class that hangs on a hostile rule, and one that nobody asks about."""
    out = Flow(
        source="10.244.1.5",
        destination="203.0.113.9",
        source_port=40000,
        destination_port=443,
        entry=Entry(link="cni0"),
    )
    sent = Ending(disposition=Disposition.SENT, link="eth0")
    refused = Ending(disposition=Disposition.NO_FORWARDING)
    stopped = "net.ipv4.conf.cni0.forwarding=0"
    rule = f"-A {HOSTILE.chain} {HOSTILE.rule}"
    lost = PacketClass(
        before=sent, after=refused, witness=out, part="pods-out", words="packets of pods to the outside",
        traffic=TrafficClass.POD_TO_EXTERNAL, walked_before=Trace(flow=out, disposition=Disposition.SENT, link="eth0"),
        walked_after=Trace(flow=out, disposition=Disposition.NO_FORWARDING, reason=stopped),
    )  # fmt: skip
    hop = Hop(stage="input filter", what="dropped", rule=rule, chain="INPUT", backend="nft")
    open_ = lost.model_copy(
        update={
            "part": "ssh", "words": "ssh connections", "traffic": TrafficClass.NODE_MANAGEMENT,
            "exactness": Exactness.UNKNOWN, "because": (rule,), "after": Ending(disposition=Disposition.DROPPED),
            "walked_after": Trace(flow=out, disposition=Disposition.DROPPED, reason=rule, hops=(hop,)),
        }
    )  # fmt: skip
    return Comparison(
        classes=(lost, open_, lost.model_copy(update={"part": "odd"})),
        losses=(
            Loss(part="pods-out", traffic=TrafficClass.POD_TO_EXTERNAL, certain=1.0, possible=1.0, everything=True),
        ),
        unknown=("nft tables of their own are loaded",),
    )  # fmt: skip


def kept() -> Kept:
    """A path that the change breaks."""
    flow = Flow(source="10.244.1.5", destination="10.96.12.7", destination_port=80, entry=Entry(link="cni0"))
    path = Path(
        invariant="pods-reach-services",
        name="pods-reach-services/default/web/80/tcp",
        words="10.244.1.5 to the Service default/web (10.96.12.7:80)",
        traffic=TrafficClass.POD_TO_SERVICE,
        flow=flow,
    )
    return Kept(
        node="worker-1",
        path=path,
        horizon=Horizon.NOW,
        before=Walked(holding=Holding.HOLDS),
        after=Walked(holding=Holding.BROKEN, reason="net.ipv4.conf.cni0.forwarding=0"),
    )
