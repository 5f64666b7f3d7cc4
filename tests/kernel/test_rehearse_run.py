"""A plan rehearsed: what is right is proven, what is wrong is caught, and what cannot be shown is said."""

from collections.abc import Iterable

import pytest
from namespace import Namespace
from plan_node import observe
from rehearsal_node import planned, recorded, rehearsed
from strategies import DEMO

from planner.cli.inputs import load_state
from planner.errors import NetchangeError
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.plan import Action, Plan
from planner.models.proposal import Fragment, FragmentKind, Outlook
from planner.models.rehearsal import Proof, Rehearsal
from planner.parse.iptables_save import parse_iptables_save
from planner.plan.build import build_plan
from planner.proposal.propose import propose
from planner.rehearse.isolation import Isolation
from planner.rehearse.modules import Modules
from planner.rehearse.outlook import outlook_of
from planner.rehearse.run import large_messages, rehearse
from planner.report.rehearsal import turn_words

GOOD = (Proof.PROVEN, Proof.PROVEN_EXCEPT)
SCRIPT = """set -e
iptables -I FORWARD 1 -i eth0 -p tcp --dport 443 -m comment --comment "the web's port" -j ACCEPT
iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
ipset add web 10.0.0.10
ip route replace 10.244.2.0/24 via 10.0.0.8
ip rule add from 10.9.0.0/16 lookup 100 pref 50
"""
HARDENING = Fragment(
    path="90-hardening.conf",
    kind=FragmentKind.SYSCTL,
    target="/etc/sysctl.d/90-hardening.conf",
    text="net.ipv4.ip_forward = 0\nnet.ipv4.conf.all.rp_filter = 1\n",
)


def troubles(found: Rehearsal) -> list[object]:
    """Everything that went otherwise, to be seen when a test fails."""
    turns = [(t.step, t.output, t.unpredicted, t.left_behind) for t in found.turns]
    wrong = [turn for turn in turns if any(turn[1:])]
    packets = [probe for turn in found.turns for probe in turn.probes if not probe.agrees]
    return [*wrong, *packets, *(trial for trial in found.trials if not trial.held)]


def test_a_right_plan_is_proven_step_by_step() -> None:
    """Every step is as predicted, from after each of them the way leads back, and every mishap is survived."""
    found = rehearsed(SCRIPT, HARDENING)

    assert [] == troubles(found)
    assert found.proof in GOOD
    assert len(planned(SCRIPT, HARDENING)[1].steps) == len(found.turns)
    assert all(turn.applied and turn.undone and turn.seconds > 0 for turn in found.turns)
    names = {trial.name.partition("/")[0] for trial in found.trials}
    assert {"twice", "killed_before", "killed_after", "killed", "failing", "foreign", "timer"} == names
    assert found.facts > 1000
    assert f"{len(found.turns)} of {len(found.turns)} steps as predicted" in found.sentence


def test_packets_are_sent_and_lost_as_predicted() -> None:
    """Forwarding off: what the model says is lost from that step on is what the kernel loses."""
    snapshot = load_state(DEMO)
    script = "iptables -I INPUT -j ACCEPT\nsysctl -w net.ipv4.ip_forward=0"
    fragment = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=script)
    outlook = propose(snapshot.nodes[0], (fragment,))
    found = rehearse(outlook, build_plan(outlook), cluster=snapshot.cluster, trials=False)

    assert [] == troubles(found)
    first, last = found.turns
    assert first.probes
    assert len(first.probes) == len(last.probes)
    assert not any(probe.shut for probe in first.probes)
    shut = {probe.path.partition("/")[0] for probe in last.probes if probe.shut}
    assert shut
    assert all(probe.after == probe.predicted for probe in last.probes)


def test_a_session_that_is_open_is_followed_through_the_steps() -> None:
    """A real connection, opened before the first step: what stops new ones leaves it, until a rule or the way of its answers does not."""
    snapshot = load_state(DEMO)
    script = """iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP
iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate ESTABLISHED -j DROP
iptables -D INPUT 1
iptables -I OUTPUT -p tcp --sport 22 -j DROP
"""
    fragment = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text=script)
    outlook = propose(snapshot.nodes[0], (fragment,))
    found = rehearse(outlook, build_plan(outlook), cluster=snapshot.cluster, trials=False)

    assert [] == troubles(found)
    seen = [
        {
            probe.path.split("/")[1]: probe.after
            for probe in turn.probes
            if probe.path.startswith("operator-reaches-node/")
        }
        for turn in found.turns
    ]
    assert [
        {"new": "lost", "open": "arrives"},
        {"new": "lost", "open": "lost"},
        {"new": "lost", "open": "arrives"},
        {"new": "lost", "open": "the answer is lost"},
    ] == seen


def test_packets_that_are_not_sent_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link with both ends on the stage lets nobody in, and of thousands of paths only the first are tried: both is said."""
    monkeypatch.setattr("planner.rehearse.probes.MOST", 4)
    found = rehearsed("iptables -I INPUT -j ACCEPT", trials=False)

    told = {one.what: one.reason for one in found.not_rehearsed if one.what.startswith("packet")}
    assert any(reason.startswith("nothing can be sent in by eth0") for reason in told.values())
    more = [what for what in told if what.endswith("more paths")]
    assert 1 == len(more)
    sent = {probe.path for turn in found.turns for probe in turn.probes}
    assert 4 == len(sent) + len(told) - 1


def tampered_prediction(outlook: Outlook, **update: object) -> Outlook:
    """The outlook of one step, with something else predicted after it."""
    (stage,) = outlook.stages
    after = stage.after.model_copy(update=update)
    return outlook.model_copy(update={"stages": (stage.model_copy(update={"after": after}),)})


@pytest.mark.parametrize("what", ["sysctl", "route", "rule"])
def test_a_wrong_prediction_is_caught(what: str) -> None:
    """The model said one thing and the kernel did another: the difference is named, with both values."""
    outlook, plan = planned("sysctl -w net.ipv4.ip_forward=0")
    after = outlook.stages[0].after
    wrong: dict[str, object]
    if what == "sysctl":
        wrong = {"sysctls": {**after.sysctls, "net.ipv4.conf.eth0.rp_filter": "7"}}
    elif what == "route":
        wrong = {"routes": tuple(route for route in after.routes if route.prefix != "10.244.2.0/24")}
    else:
        ruleset = after.ruleset("ip", "nft")
        assert ruleset is not None
        table = ruleset.tables["filter"]
        chains = {**table.chains, "FORWARD": table.chains["FORWARD"][:1]}
        tables = {**ruleset.tables, "filter": table.model_copy(update={"chains": chains})}
        others = tuple(one for one in after.rulesets if one is not ruleset)
        wrong = {"rulesets": (ruleset.model_copy(update={"tables": tables}), *others)}

    found = rehearse(tampered_prediction(outlook, **wrong), plan, packets=False, trials=False)

    assert Proof.MODEL_WRONG is found.proof
    assert found.failed
    (turn,) = found.turns
    assert turn.unpredicted
    named = {"sysctl": "net.ipv4.conf.eth0.rp_filter", "route": "10.244.2.0/24", "rule": "FORWARD"}[what]
    assert all(named in difference.what for difference in turn.unpredicted)
    assert turn.unpredicted[0].wanted != turn.unpredicted[0].found
    assert () == turn.left_behind


def with_undo(plan: Plan, *undo: Action) -> Plan:
    """The plan, whose last step is taken back in another way."""
    *others, last = plan.steps
    return plan.model_copy(update={"steps": (*others, last.model_copy(update={"undo": undo}))})


def test_of_a_long_plan_each_step_is_taken_back_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, each to what was found there before; from the first, the middle and all steps in one run as well."""
    monkeypatch.setattr("planner.rehearse.turns.EACH", 3)
    found = rehearsed(SCRIPT, HARDENING, trials=False, packets=False)

    assert [] == troubles(found)
    assert all(turn.undone for turn in found.turns)
    ran = [turn for turn in planned(SCRIPT, HARDENING)[1].steps if turn.apply]
    assert len(ran) - 2 <= sum(turn.stepwise for turn in found.turns) < len(found.turns)
    assert "step by step" in found.sentence


@pytest.mark.parametrize("each", [24, 1])
def test_a_wrong_undo_is_caught_and_does_not_spoil_the_next_step(
    monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    """The way back of the second step does nothing: both prefixes with it are told, the first step alone leads back."""
    monkeypatch.setattr("planner.rehearse.turns.EACH", each)
    outlook, plan = planned("ipset add web 10.0.0.10\niptables -A FORWARD -j RETURN")

    found = rehearse(outlook, with_undo(plan), packets=False)

    assert Proof.NOT_UNDONE is found.proof
    first, second = found.turns
    assert (True, True, ()) == (first.applied, first.undone, first.left_behind)
    assert not second.undone
    left = {one.what: (one.wanted, one.found) for one in second.left_behind}
    assert {
        "ipset web": ("", "10.0.0.10"),
        "chain FORWARD of table filter (ip, nft)": ("", "-j RETURN"),
    } == left
    assert "chain FORWARD" in found.reason
    assert () == found.trials


def test_a_command_that_fails_and_was_not_predicted_to() -> None:
    """It is the prediction that was wrong; what was done until then is taken back, and the rest is told as not reached."""
    outlook, plan = planned("ipset add web 10.0.0.10\nipset add web 10.0.0.11\nipset add web 10.0.0.12")
    broken = plan.steps[1].model_copy(
        update={"apply": (Action(argv=("ipset", "add", "nowhere", "10.0.0.1")),)}
    )
    plan = plan.model_copy(update={"steps": (plan.steps[0], broken, plan.steps[2])})

    found = rehearse(outlook, plan, packets=False)

    assert Proof.MODEL_WRONG is found.proof
    assert [True, False] == [turn.applied for turn in found.turns]
    assert "nowhere" in found.turns[1].output
    assert [(), ()] == [turn.left_behind for turn in found.turns]
    assert 1 == found.unreached
    assert any(one.what.startswith("step 3") for one in found.not_rehearsed)


def test_what_a_namespace_cannot_show_is_said() -> None:
    """A value of the whole machine: its step is not run there, and the others are."""
    key = "net.netfilter.nf_conntrack_max"
    state = recorded().model_copy(update={"sysctls": {**recorded().sysctls, key: "262144"}})
    outlook, plan = planned(f"ipset add web 10.0.0.10\nsysctl -w {key}=400000")
    outlook = outlook_of(plan, state)
    plan = build_plan(
        outlook.model_copy(update={"after": dict.fromkeys(Horizon, outlook.after[Horizon.NOW])})
    )

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert Proof.PROVEN_EXCEPT is found.proof
    assert [] == troubles(found)
    (told,) = [one for one in found.not_rehearsed if one.what.startswith("step ")]
    assert "step 2" in told.what
    assert key in told.reason
    assert found.sentence.startswith("rehearsed: 1 of 2 steps as predicted")
    assert turn_words(found.turns[1]).startswith("not run on the stage: belongs to the whole machine")


def test_questions_for_neighbours_are_sent() -> None:
    """IPv6 finds its neighbours by packets that pass INPUT: dropped there, they are lost, as predicted."""
    with Namespace() as node, Namespace() as other:
        node.wire("eth0", other, "peer0")
        other.sh("ip link set peer0 up")
        node.sh(
            "ip link set eth0 up; ip addr add 10.0.0.5/24 dev eth0; ip -6 addr add fd00::5/64 dev eth0 nodad\n"
            "ip route add default via 10.0.0.1; ip -6 route add default via fd00::1"
        )
        state = observe(node)
    change = Fragment(path="change.sh", kind=FragmentKind.SCRIPT, target="", text="ip6tables -P INPUT DROP\n")
    outlook = propose(state, (change,))

    found = rehearse(outlook, build_plan(outlook), trials=False)

    assert [] == troubles(found)
    asked = [
        probe
        for probe in found.turns[0].probes
        if probe.path.startswith("neighbours-are-found/eth0") and "/in/" in probe.path
    ]
    assert {True} == {probe.shut for probe in asked}


def test_where_no_step_can_be_run_nothing_is_proven() -> None:
    """A plan of nothing but a value of the whole machine: it is not rehearsed, and that is said."""
    key = "net.netfilter.nf_conntrack_max"
    state = recorded().model_copy(update={"sysctls": {**recorded().sysctls, key: "262144"}})
    command = Fragment(
        path="change.sh", kind=FragmentKind.SCRIPT, target="", text=f"sysctl -w {key}=400000\n"
    )
    outlook = propose(state, (command,))

    found = rehearse(outlook, build_plan(outlook))

    assert Proof.NOT_RUN is found.proof
    assert key in found.reason


def test_a_step_that_is_not_run_is_not_told_to_be_proven() -> None:
    """What would fail and change nothing is left out by apply.sh, here as on the node; mishaps are tried all the same."""
    found = rehearsed("ipset add web 10.0.0.10\nsysctl -w net.ipv4.tcp_finn_timeout=30\n")

    assert [] == troubles(found)
    assert turn_words(found.turns[1]).startswith("not run: it would fail and change nothing")
    assert found.trials


def test_mishaps_that_were_not_tried_are_named() -> None:
    """Where a step fails, that comes first; no mishap is silently missing."""
    outlook, plan = planned("ipset add web 10.0.0.10\n")
    (step,) = plan.steps
    broken = step.model_copy(update={"apply": (*step.apply, Action(argv=("false",)))})

    found = rehearse(outlook, plan.model_copy(update={"steps": (broken,)}), packets=False)
    said = {one.what for one in found.not_rehearsed}

    assert not found.trials
    assert "mishaps" in said


def test_a_node_that_cannot_be_rebuilt_is_one_sentence() -> None:
    """No stage, no rehearsal: the reason is told and nothing is claimed."""

    def refuses() -> None:
        raise NetchangeError(reference="stage-failed", message="there is no room", hint="")

    outlook, plan = planned("ipset add web 10.0.0.10")
    found = rehearse(outlook, plan, packets=False, open_stage=refuses)  # type: ignore[arg-type]

    assert (Proof.NOT_RUN, "not rehearsed: there is no room") == (found.proof, found.sentence)
    assert () == found.turns


def test_a_module_that_is_not_loaded_is_named_with_the_option_that_allows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel loads it for the whole machine: that is not done unasked, also when only a step needs it."""
    outlook, plan = planned("iptables -A FORWARD -m physdev --physdev-in eth0 -j ACCEPT\n")

    def asked(states: Iterable[NodeState], _modules: Modules) -> tuple[str, ...]:
        rules = [
            rule
            for state in states
            for one in state.rulesets
            for table in one.tables.values()
            for rules in table.chains.values()
            for rule in rules
        ]
        return ("br_netfilter",) if any("physdev" in rule for rule in rules) else ()

    monkeypatch.setattr("planner.rehearse.stage.needed", asked)
    refused = rehearse(outlook, plan)
    allowed = rehearse(outlook, plan, packets=False, trials=False, load_modules=True)

    assert Proof.NOT_RUN is refused.proof
    assert (
        "rehearsing node would load kernel modules on this machine (br_netfilter): `--load-modules` allows it"
        == refused.reason.replace(plan.node, "node")
    )
    assert allowed.proof in GOOD, troubles(allowed)


def test_a_chain_that_is_one_large_message_is_taken_back() -> None:
    """Root of a user namespace may not send it: such a plan is rehearsed without one, and the report names the walls."""
    rules = tuple(
        f'-d 10.96.{number // 250}.{number % 250}/32 -p tcp -m comment --comment "service {number} cluster IP" -j ACCEPT'
        for number in range(600)
    )
    ruleset, _ = parse_iptables_save(
        "\n".join(
            (
                "*filter",
                ":FORWARD ACCEPT [0:0]",
                ":MANY - [0:0]",
                *(f"-A MANY {rule}" for rule in rules),
                "COMMIT",
                "",
            )
        ),
        family="ip",
        backend="nft",
    )
    others = tuple(one for one in recorded().rulesets if (one.family, one.backend) != ("ip", "nft"))
    node = recorded().model_copy(update={"rulesets": (*others, ruleset)})
    script = Fragment(
        path="change.sh",
        kind=FragmentKind.SCRIPT,
        target="",
        text="iptables -I MANY 1 -s 10.9.0.0/16 -j DROP\n",
    )
    outlook = propose(node, (script,))
    plan = build_plan(outlook)

    found = rehearse(outlook, plan, packets=False, trials=False)

    assert large_messages(plan)
    assert found.proof in GOOD, troubles(found)
    assert found.isolation.startswith(Isolation.PLAIN.value)


def test_a_step_of_which_nothing_is_predicted_refutes_no_prediction() -> None:
    """What it did is told; the steps around it are judged, and what nobody knows to take back is not held against the way back."""
    script = "ip route add 10.98.0.0/16 via 10.0.0.8\nip link set dev eth0 addrgenmode random\nip route add 10.99.0.0/16 via 10.0.0.8"
    found = rehearsed(script)

    assert [] == troubles(found)
    assert () == found.trials
    assert Proof.PROVEN_EXCEPT is found.proof
    assert [True, False, True] == [turn.shown for turn in found.turns]
    assert "2 of 3 steps as predicted" in found.sentence
    (told,) = (one for one in found.not_rehearsed if one.what.startswith("step 2"))
    assert "addrgenmode" in told.reason
    assert "here it changed sysctl net.ipv6.conf.eth0.addr_gen_mode: 1 → 3" in told.reason
