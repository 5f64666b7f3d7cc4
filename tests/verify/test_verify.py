"""`verify`: where a node stands between the state before a change and the one that was predicted."""

import gzip
import json
from pathlib import Path

import pytest
from program import DEMO, PULL_REQUEST, called, refused

from planner.cli.inputs import fragments, load_state
from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop
from planner.models.ruleset import Ruleset
from planner.models.source import Gap
from planner.models.verification import Standing
from planner.verify.predict import predict
from planner.verify.verify import verify

KEY, OTHER = "net.ipv4.ip_forward", "net.ipv4.tcp_syncookies"


def states() -> tuple[NodeState, NodeState]:
    snapshot = load_state(DEMO)
    return snapshot.nodes[0], predict(snapshot, fragments([PULL_REQUEST])).nodes[0]


def with_sysctls(node: NodeState, **values: str) -> NodeState:
    changed = {key.replace("__", "."): value for key, value in values.items()}
    return node.model_copy(update={"sysctls": {**node.sysctls, **changed}})


def test_the_predicted_state_is_as_predicted() -> None:
    """Nothing differs, and all that was planned is counted."""
    before, predicted = states()

    result = verify(before, predicted, predicted)

    assert Standing.APPLIED is result.standing
    assert result.as_predicted
    assert result.planned > 10


def test_the_state_before_is_told_as_not_applied() -> None:
    """Every planned change is missing, and nothing is somebody else's."""
    before, predicted = states()

    result = verify(before, predicted, before)

    assert Standing.NOT_APPLIED is result.standing
    assert result.planned == len(result.missing)
    assert () == result.foreign


def test_pods_that_came_or_went_are_no_difference() -> None:
    """They do so all the time: what their links take along is told apart; an uplink that went is a difference."""
    before, predicted = states()
    pods = [link.name for link in predicted.links if link.name.startswith("veth")]

    def lacking(name: str) -> NodeState:
        links = tuple(link for link in predicted.links if link.name != name)
        return predicted.model_copy(update={"links": links})

    result = verify(before, predicted, lacking(pods[0]))
    assert Standing.APPLIED is result.standing
    assert pods[0] in [getattr(change, "link", "") for change in result.pods]

    assert not verify(before, predicted, lacking("eth0")).as_predicted


@pytest.mark.parametrize("routes", [True, False], ids=["with-its-routes", "without-its-routes"])
def test_an_uplink_that_looks_like_a_pods_is_none(*, routes: bool) -> None:
    """A node in a container has an uplink whose other end is elsewhere: down and without its address it is a difference."""
    before, predicted = states()
    uplink = predicted.link("eth0")
    assert uplink is not None
    assert uplink.peer_elsewhere
    bare = uplink.model_copy(update={"up": False, "addresses": ()})
    found = predicted.model_copy(
        update={
            "links": tuple(bare if link is uplink else link for link in predicted.links),
            "routes": tuple(
                route
                for route in predicted.routes
                if routes or not any(hop.link == "eth0" for hop in route.nexthops)
            ),
        }
    )

    result = verify(before, predicted, found)

    assert Standing.OTHERWISE is result.standing
    assert () == result.pods


def test_a_way_for_many_is_no_pods_route() -> None:
    """A link that came may be a pod's; the default route that was laid on it is not."""
    before, predicted = states()
    pod = next(link for link in predicted.links if link.name.startswith("veth"))
    new = pod.model_copy(update={"name": "veth-new", "addresses": ()})
    default = next(route for route in predicted.routes if route.is_default)

    def found(prefix: str) -> NodeState:
        hop = NextHop(link="veth-new")
        route = default.model_copy(update={"prefix": prefix, "nexthops": (hop,), "metric": 7})
        return predicted.model_copy(
            update={"links": (*predicted.links, new), "routes": (*predicted.routes, route)}
        )

    assert verify(before, predicted, found("10.244.1.99/32")).as_predicted
    assert ["route"] == [change.kind for change in verify(before, predicted, found("0.0.0.0/0")).foreign]


def test_a_planned_change_that_was_not_read_is_not_taken_for_done() -> None:
    """Neither in place nor missing: with a gap there nothing is said of it."""
    before, predicted = states()
    rules = frozenset({"rule", "chain", "chain-policy"})
    refused = tuple(
        Gap(section=f"iptables/{backend}/{family}", reason="needs root")
        for backend in ("nft", "legacy")
        for family in ("ip", "ip6")
    )
    bare = predicted.model_copy(
        update={
            "rulesets": tuple(one.model_copy(update={"tables": {}}) for one in predicted.rulesets),
            "gaps": (*predicted.gaps, *refused),
        }
    )

    result = verify(before, predicted, bare)

    assert Standing.UNREAD is result.standing
    assert not result.as_predicted
    assert not result.differs
    assert rules >= {change.kind for change in result.unread}


def test_a_route_that_an_address_gets_late_is_no_difference() -> None:
    """The plan's snapshot was taken while somebody could still have answered for the address; a lost route is one."""
    before, predicted = states()
    late = next(route for route in predicted.routes if route.family == "ip6" and route.type == "local")
    early = tuple(route for route in predicted.routes if route is not late)

    soon = verify(
        before.model_copy(update={"routes": tuple(route for route in before.routes if route != late)}),
        predicted.model_copy(update={"routes": early}),
        predicted,
    )
    lost = verify(before, predicted, predicted.model_copy(update={"routes": early}))

    assert soon.as_predicted
    assert not lost.as_predicted


def test_what_the_kernel_chooses_for_a_new_link_is_no_difference() -> None:
    """Nobody has said what options it has, and its hardware address is random; what was said counts."""
    before, predicted = states()
    made = Link(name="br7", kind="bridge", options={"stp_state": "1"})
    own = Address(address="fe80::17", length=64, scope="link")
    local = next(route for route in predicted.routes if route.family == "ip6" and route.type == "local")
    expected = predicted.model_copy(update={"links": (*predicted.links, made)})

    def found(stp: str) -> NodeState:
        options = {"stp_state": stp, "hello_time": "200"}
        link = made.model_copy(update={"options": options, "mac": "02:00:00:00:00:17", "addresses": (own,)})
        route = local.model_copy(update={"prefix": "fe80::17/128", "nexthops": (NextHop(link="br7"),)})
        return predicted.model_copy(
            update={"links": (*predicted.links, link), "routes": (*predicted.routes, route)}
        )

    assert verify(before, expected, found("1")).as_predicted
    assert ["options/stp_state"] == [
        getattr(change, "field", "") for change in verify(before, expected, found("0")).foreign
    ]


def test_one_value_that_was_set_back_is_the_one_that_is_missing() -> None:
    """The rest is in place: the node stands in between."""
    before, predicted = states()

    result = verify(before, predicted, with_sysctls(predicted, net__ipv4__ip_forward=before.sysctls[KEY]))

    assert Standing.PARTLY is result.standing
    assert [KEY] == [getattr(change, "key", "") for change in result.missing]
    assert (before.sysctls[KEY], predicted.sysctls[KEY]) == (
        getattr(result.missing[0], "before", None),
        getattr(result.missing[0], "after", None),
    )


def test_a_planned_value_that_is_a_third_one_is_different_and_not_missing() -> None:
    """Neither as before nor as predicted."""
    before, predicted = states()

    result = verify(before, predicted, with_sysctls(predicted, net__ipv4__ip_forward="7"))

    assert () == result.missing
    assert [(KEY, "7")] == [
        (change.key, change.after) for change in result.different if change.kind == "sysctl"
    ]


def test_what_the_plan_does_not_touch_is_somebody_elses() -> None:
    """All planned changes are in place, and a rule and a value that nobody planned are told apart from them."""
    before, predicted = states()
    rules = predicted.ruleset("ip", "nft")
    assert rules is not None
    table = rules.tables["filter"]
    chains = {**table.chains, "INPUT": (*table.chains["INPUT"], "-s 192.0.2.1/32 -j DROP")}
    changed = table.model_copy(update={"chains": chains})
    other: Ruleset = rules.model_copy(update={"tables": {**rules.tables, "filter": changed}})
    found = with_sysctls(predicted, net__ipv4__tcp_syncookies="0").model_copy(
        update={"rulesets": tuple(other if one is rules else one for one in predicted.rulesets)}
    )

    result = verify(before, predicted, found)

    assert Standing.OTHERWISE is result.standing
    assert {"sysctl", "rule"} == {change.kind for change in result.foreign}
    assert not result.as_predicted


def planned(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Path:
    out = tmp_path / "out"
    called(capsysbinary, "plan", "--before", DEMO, PULL_REQUEST, "--out", out)
    return out


def test_the_program_says_yes_with_0_and_no_with_6(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """The directory of a plan is all it needs besides the snapshot."""
    out = planned(capsysbinary, tmp_path)

    yes = called(capsysbinary, "verify", out, out / "predicted.json.gz")
    no = called(capsysbinary, "verify", out / "assessment.json", DEMO)

    assert (0, 6) == (yes.code, no.code)
    assert b"in the predicted state" in yes.out
    assert b"as before the change" in no.out


def test_what_could_not_be_looked_at_is_neither_yes_nor_no(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """Exit code 4, also without `--strict`: whoever asked has no answer."""
    out = planned(capsysbinary, tmp_path)
    document = json.loads(gzip.decompress((out / "predicted.json.gz").read_bytes()))
    node = document["nodes"][0]
    del node["sysctls"][KEY]
    node["gaps"] = [*node.get("gaps", []), {"section": f"sysctl/{KEY}", "reason": "Permission denied"}]
    (tmp_path / "found.json").write_text(json.dumps(document))

    shown = called(capsysbinary, "verify", out, tmp_path / "found.json")

    assert 4 == shown.code
    assert b"not known: 1 of " in shown.out


def test_a_node_that_was_not_looked_at_is_named(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """A snapshot of one of two nodes says nothing of the other: with `--strict` that is not enough."""
    document = json.loads(gzip.decompress(DEMO.read_bytes()))
    other = {**document["nodes"][0], "name": "worker-9"}
    both = tmp_path / "both.json"
    both.write_text(json.dumps({**document, "nodes": [*document["nodes"], other]}))
    out = tmp_path / "out"
    called(capsysbinary, "plan", "--before", both, PULL_REQUEST, "--out", out)
    predicted = json.loads(gzip.decompress((out / "predicted.json.gz").read_bytes()))
    one = tmp_path / "one.json"
    one.write_text(json.dumps({**predicted, "nodes": predicted["nodes"][:1]}))

    lenient = called(capsysbinary, "verify", out, one)
    strict = called(capsysbinary, "verify", out, one, "--strict")

    assert (0, 4) == (lenient.code, strict.code)
    assert "worker-9" in lenient.err


def test_a_plan_that_is_not_there_is_refused(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """A name that was mistyped is not silently the plan that lies beside it."""
    out = planned(capsysbinary, tmp_path)

    assert "does not exist" in refused(capsysbinary, "verify", out / "asessment.json", DEMO)


def test_the_json_of_a_verification_holds_what_differs(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """One object a node."""
    out = planned(capsysbinary, tmp_path)
    document = json.loads(gzip.decompress((out / "predicted.json.gz").read_bytes()))
    document["nodes"][0]["sysctls"][OTHER] = "0"
    (tmp_path / "found.json").write_text(json.dumps(document))

    shown = called(capsysbinary, "verify", out, tmp_path / "found.json", "--json")

    assert 6 == shown.code
    assert [OTHER] == [change["key"] for change in json.loads(shown.out)["foreign"]]


def test_a_directory_that_is_no_plan_is_refused(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """One sentence that names the missing file."""
    said = refused(capsysbinary, "verify", tmp_path, DEMO)

    assert "before.json.gz" in said


def test_a_snapshot_of_another_node_is_told(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """One node stands for one node, but nobody shall take the wrong one for the right one."""
    out = planned(capsysbinary, tmp_path)
    document = json.loads(gzip.decompress((out / "predicted.json.gz").read_bytes()))
    document["nodes"][0]["name"] = "worker-7"
    (tmp_path / "found.json").write_text(json.dumps(document))

    shown = called(capsysbinary, "verify", out, tmp_path / "found.json")

    assert 0 == shown.code
    assert "worker-7" in shown.err
