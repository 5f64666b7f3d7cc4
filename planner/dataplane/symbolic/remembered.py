"""Translated packets go on their way together where nothing tells their destinations apart, and are told apart again at its end."""

import sys
from collections.abc import Iterator
from dataclasses import replace

from planner.dataplane.packets.space import PacketSet, Space
from planner.dataplane.symbolic.constants import Constants
from planner.dataplane.symbolic.dispatch import Dispatch
from planner.dataplane.symbolic.form import End, Form

Endpoint = tuple[int, int | None]
"""Address and port; None: the port is as it came."""


class Remembered(Dispatch):
    """Joins destinations, and remembers whose each packet was.

    No packet has two forms at once, so the packets of an end that were on their way to one destination are those that the end has in common
    with the packets that set out for it.
    """

    def __init__(self, space: Space, constants: Constants) -> None:
        super().__init__(space, constants, least=sys.maxsize)
        self._set_out: dict[Endpoint, list[tuple[Endpoint, PacketSet]]] = {}

    def joined(self, step: Form | End, where: PacketSet) -> list[tuple[Form | End, PacketSet]]:
        """Likewise."""
        found = super().joined(step, where)
        if isinstance(step, Form) and isinstance(step.destination, int):
            own = step.destination, step.destination_port
            for like, part in found:
                if isinstance(like, Form) and isinstance(like.destination, int) and part.satisfiable():
                    key = like.destination, like.destination_port
                    self._set_out.setdefault(key, []).append((own, part))
        return found

    def apart(self, end: End, where: PacketSet) -> Iterator[tuple[End, PacketSet]]:
        """An end of packets that went together, as the ends that they have."""
        form = end if end.at is None else end.at
        members = (
            self._set_out.get((form.destination, form.destination_port))
            if isinstance(form.destination, int)
            else None
        )
        if members is None or (
            len(members) == 1 and members[0][0] == (form.destination, form.destination_port)
        ):
            yield end, where
            return
        for (destination, port), those in members:
            here = where & those
            if here.satisfiable():
                yield _leading(end, destination, port), here


def _leading(end: End, destination: int, port: int | None) -> End:
    """An end with its real destination."""
    at = end.at and end.at._replace(destination=destination, destination_port=port)
    if end.destination is None:
        return replace(end, at=at)
    return replace(end, destination=destination, destination_port=port, at=at)
