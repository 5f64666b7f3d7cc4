"""string: octets anywhere in the packet."""

import re

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings, Use
from planner.netfilter.kinds import choice, flag, integer
from planner.netfilter.problem import RuleError

MOST = 128
"""XT_STRING_MAX_PATTERN_SIZE (include/uapi/linux/netfilter/xt_string.h)."""
HEX_BLOCK = re.compile(rb"(?:\s*[0-9a-fA-F]{2})*\s*")


def bounded(pattern: bytes) -> bytes:
    """Neither empty nor too long."""
    if not 0 < len(pattern) <= MOST:
        raise RuleError(f"a pattern has between 1 and {MOST} octets")
    return pattern


def read_string(words: tuple[str, ...], _family: str) -> bytes:
    """As it stands."""
    return bounded(words[0].encode(errors="surrogateescape"))


def read_hex(words: tuple[str, ...], _family: str) -> bytes:
    """Hexadecimal digits between bars, a backslash before a character taken literally."""
    text = words[0].encode(errors="surrogateescape")
    pattern = bytearray()
    position = 0
    while position < len(text):
        if text[position : position + 1] == b"\\" and position + 1 < len(text):
            pattern.append(text[position + 1])
            position += 2
        elif text[position : position + 1] == b"|":
            end = text.find(b"|", position + 1)
            block = text[position + 1 : end]
            if end < 0 or not HEX_BLOCK.fullmatch(block):
                raise RuleError("a block of hexadecimal digits is not closed or has an odd number of them")
            pattern += bytes.fromhex(block.decode())
            position = end + 1
        else:
            pattern.append(text[position])
            position += 1
    return bounded(bytes(pattern))


def is_plain(pattern: bytes) -> bool:
    """Whether it is printed as text (libxt_string.c, is_hex_string)."""
    return all(0x20 <= octet < 0x7F for octet in pattern) and not pattern.endswith(b"\\")


def show_string(value: bytes, _family: str) -> str:
    """Quoted, with backslashes before quotes and backslashes."""
    return '"' + value.decode("ascii", errors="replace").replace("\\", "\\\\").replace('"', '\\"') + '"'


def settle(given: Settings, _context: Context) -> Settings:
    """Either notation is printed as text when it can be."""
    settled: Settings = []
    for setting in given:
        if setting.name in {"string", "hex-string"}:
            name = "string" if is_plain(setting.value) else "hex-string"
            settled.append(Setting(name, setting.value, setting.inverted))
        else:
            settled.append(setting)
    return settled


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """Payload is not modelled."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="string",
    options=(
        Option("string", Kind(read=read_string, show=show_string), inverts=True),
        Option(
            "hex-string", Kind(read=read_hex, show=lambda value, _family: f'"|{value.hex()}|"'), inverts=True
        ),
        Option("algo", choice(("bm", "kmp"), fold=False)),
        Option("from", integer(0, 0xFFFF), silent=lambda value: value == 0),
        Option("to", integer(0, 0xFFFF), silent=lambda value: value == 0xFFFF),
        Option("icase", flag()),
    ),
    required=("algo",),
    any_of=("string", "hex-string"),
    exclusive=(("string", "hex-string"),),
    settle=settle,
    meaning=meaning,
)
