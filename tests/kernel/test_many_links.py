"""What a stage of many links costs: as many programs, messages and reads of silent links as one of few."""

import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from rehearsal_node import recorded

from planner.models.link import Address, Link
from planner.models.node import NodeState
from planner.models.route import NextHop, Route
from planner.rehearse.namespaces import Namespaces
from planner.rehearse.stage import Stage
from planner.rehearse.wires import Wires

FEW, MANY = 3, 40


def with_pods(count: int) -> NodeState:
    """The recorded node with so many pods beside: half of them ports of its bridge, half with a route by their link."""
    node = recorded()
    first = 1 + max(link.index for link in node.links)
    links = [
        Link(
            name=f"pod{number}",
            index=first + number,
            kind="veth",
            mac=f"02:00:00:00:0a:{number:02x}",
            mtu=1450,
            operstate="UP",
            master="br0" if number % 2 else "",
            peer_elsewhere=True,
            addresses=(Address(address=f"fe80::a:{number:x}", length=64, scope="link"),),
        )
        for number in range(count)
    ]
    routes = [
        Route(
            family="ip",
            prefix=f"10.99.0.{number}/32",
            protocol="boot",
            scope="link",
            nexthops=(NextHop(link=link.name),),
        )
        for number, link in enumerate(links)
        if not link.master
    ]
    return node.model_copy(update={"links": (*node.links, *links), "routes": (*node.routes, *routes)})


class Counted:
    """What was asked of a stage: programs by name, and messages by kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()
        spawn, start, tell = Namespaces.spawn, Namespaces.start, Namespaces.tell

        def spawned(own: Namespaces, argv: Sequence[str], stdin: bytes, env: Mapping[str, str]) -> object:
            self.programs[argv[0]] += 1
            return spawn(own, argv, stdin, env)

        def started(own: Namespaces, commands: Sequence[Sequence[str]]) -> int:
            self.programs.update(argv[0] for argv in commands)
            return start(own, commands)

        def told(own: Namespaces, head: Mapping[str, str | int], files: Sequence[int] = ()) -> int:
            self.messages[str(head["do"])] += 1
            return tell(own, head, files)

        monkeypatch.setattr(Namespaces, "spawn", spawned)
        monkeypatch.setattr(Namespaces, "start", started)
        monkeypatch.setattr(Namespaces, "tell", told)


def asked_to_rebuild(count: int) -> tuple[Counter[str], Counter[str]]:
    """Of a stage made of that node, but for the questions about carriers, which are as many as it takes."""
    with pytest.MonkeyPatch.context() as patch, Stage(with_pods(count)) as stage:
        patch.setattr("planner.rehearse.rebuild.settle", lambda *_: None)
        counted = Counted(patch)
        stage.rebuild()
        return counted.programs, counted.messages


def test_a_node_of_many_links_is_rebuilt_by_as_many_programs() -> None:
    """Commands of iproute2 go in batches, sysctls in one message."""
    assert asked_to_rebuild(FEW) == asked_to_rebuild(MANY)


def test_a_look_asks_as_many_programs_and_sends_as_many_messages() -> None:
    def asked(count: int) -> tuple[Counter[str], Counter[str]]:
        with pytest.MonkeyPatch.context() as patch, Stage(with_pods(count)) as stage:
            stage.rebuild()
            stage.look()
            counted = Counted(patch)
            stage.look()
            return counted.programs, counted.messages

    few = asked(FEW)

    assert few == asked(MANY)
    assert sum(few[0].values()) > 0


def test_silent_links_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked at once whether they have something to say: what is read at all gives something."""
    asked: set[int] = set()
    gave: set[int] = set()
    read = os.read

    def counted(file: int, size: int) -> bytes:
        asked.add(file)
        data = read(file, size)
        gave.add(file)
        return data

    with Stage(with_pods(MANY)) as stage:
        stage.rebuild()
        with Wires(stage, stage.original) as wires:
            wires.drain()
            monkeypatch.setattr("planner.rehearse.wires.os.read", counted)
            for _ in range(3):
                wires.drain()

    assert asked == gave


def test_a_question_on_a_bridge_is_answered_at_one_port() -> None:
    """Every port hears it. One answers, and none of them looks at all the others for that."""
    with Stage(with_pods(MANY)) as stage:
        stage.rebuild()
        ports = [link.name for link in stage.original.links if link.master == "br0"]
        with Wires(stage, stage.original) as wires, pytest.MonkeyPatch.context() as patch:
            wires.drain()
            asked: list[str] = []
            written: list[str] = []
            master, write = wires.master, wires._write
            patch.setattr(wires, "master", lambda link: (asked.append(link), master(link))[1])
            patch.setattr(wires, "_write", lambda link, data: (written.append(link), write(link, data))[1])
            with stage.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.sendto(b"?", ("10.244.1.77", 9))
            wires.drain()

    assert 1 == len(set(written) & set(ports))
    assert len(asked) <= 3 * len(ports)


def test_stand_ins_stay_until_their_network_goes() -> None:
    """Closed one by one, each would wait for the whole kernel; with their network they go at once."""
    with Stage(with_pods(FEW)) as stage:
        stage.rebuild()
        shown = stage.run(("ip", "-d", "link", "show")).stdout

        assert len(stage.taps) == shown.count("persist on")
        assert FEW <= len(stage.taps)
