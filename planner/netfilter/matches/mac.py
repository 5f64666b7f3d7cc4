"""mac: the source address of the Ethernet frame."""

import re

from planner.netfilter.condition import Field
from planner.netfilter.extension import Kind, Match, Option
from planner.netfilter.problem import RuleError

MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}")


def read(words: tuple[str, ...], _family: str) -> int:
    """Six octets."""
    if not MAC.fullmatch(words[0]):
        raise RuleError(f"`{words[0]}` is not a MAC address")
    return int.from_bytes(bytes(int(octet, 16) for octet in words[0].split(":")), "big")


def show(value: int, _family: str = "") -> str:
    """Small letters."""
    return value.to_bytes(6, "big").hex(":")


EXTENSION = Match(
    name="mac",
    options=(Option("mac-source", Kind(read=read, show=show), inverts=True, field=Field.SOURCE_MAC),),
    required=("mac-source",),
)
