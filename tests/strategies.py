"""Hypothesis strategies that several tests share: hostile words, mutated texts, and a small node to assess changes on."""

import re
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from planner.models.snapshot import Snapshot
from planner.parse.snapshot import load_snapshot

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "docs/demo/node.json.gz"
PULL_REQUEST = ROOT / "docs/demo/pull-request"

HOSTILE_WORDS = (
    "",
    "-",
    "--",
    "-1",
    "0",
    "00",
    "1e999",
    "nan",
    "inf",
    "0x",
    "99999999999999999999999999",
    "\u0661",  # a decimal digit to str.isdecimal, and no number to anybody else
    "\u00b2",  # a digit to str.isdigit, and no int
    "\U0001d7d8",
    "\x00",
    "\x1b[31m",
    "\x85",  # \u2028 and \x0b too: line ends to str.splitlines and to no other reader
    "\u2028",
    "\x0b",
    "\r",
    "\n",
    "\n\n",
    "\t",
    "\ufeff",
    "\u202e",
    "..",
    "/",
    "//",
    "*",
    "?",
    "[",
    "[!",
    "]",
    "{",
    "}",
    "(",
    '"',
    "'",
    "\\",
    "`",
    "$(x)",
    "${x}",
    "%s",
    "{0}",
    "<!-- -->",
    "</details>",
    "|",
    "&&",
    "||",
    ";",
    "<<E",
    ">",
    "#",
    "!",
    "=",
    ":",
    ",",
    "@",
    "all",
    "default",
    "none",
    "null",
    "true",
    "!!python/object:x",
    "&a",
    "*a",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.1/33",
    "10.0.0.300",
    "::1/129",
    "fe80::1%eth0",
    "::ffff:192.0.2.1",
    "1:2",
    "65536",
    "4294967296",
    "a" * 300,
    "é",
    "COMMIT",
    "*nat",
    "-A",
    "-j",
    "nexthop",
    "lo",
)
PIECES = re.compile(r"\s+|\w+|[^\w\s]")


def hostile_words() -> st.SearchStrategy[str]:
    """One word that some reader did not think of."""
    return st.sampled_from(HOSTILE_WORDS)


def hostile_texts() -> st.SearchStrategy[str]:
    """A few such words, or any characters."""
    return st.lists(hostile_words() | st.text(max_size=4), max_size=4).map("".join)


@st.composite
def mutated(draw: st.DrawFn, *texts: str) -> str:
    """One of the texts with a few pieces removed, doubled, exchanged, replaced by a hostile word, or with its end cut off."""
    pieces = PIECES.findall(draw(st.sampled_from(texts)))
    edits = draw(
        st.lists(
            st.tuples(
                st.sampled_from(("drop", "double", "replace", "insert", "swap", "line", "cut")),
                st.integers(0, 1 << 16),
                hostile_words(),
            ),
            max_size=5,
        )
    )
    for edit, number, word in edits:
        if not pieces:
            break
        at = number % len(pieces)
        match edit:
            case "drop":
                del pieces[at]
            case "double":
                pieces.insert(at, pieces[at])
            case "replace":
                pieces[at] = word
            case "insert":
                pieces.insert(at, word)
            case "swap":
                other = (number * 7919) % len(pieces)
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case "line":
                pieces[at] = "\n"
            case _:
                if number % 5 == 0:
                    del pieces[at:]
    return "".join(pieces)


@st.composite
def mutated_json(draw: st.DrawFn, document: object) -> object:
    """A document with a few values anywhere in it dropped, doubled or replaced by one of another type."""
    for _ in range(draw(st.integers(1, 3))):
        document = _edited(draw, document)
    return document


def _edited(draw: st.DrawFn, value: object) -> object:
    if isinstance(value, dict) and value and draw(st.integers(0, 7)):
        key = draw(st.sampled_from(sorted(value)))
        match draw(st.sampled_from(("deeper", "deeper", "deeper", "deeper", "drop", "rename"))):
            case "drop":
                return {k: v for k, v in value.items() if k != key}
            case "rename":
                return {(draw(hostile_texts()) if k == key else k): v for k, v in value.items()}
            case _:
                return {k: (_edited(draw, v) if k == key else v) for k, v in value.items()}
    if isinstance(value, list) and value and draw(st.integers(0, 7)):
        at = draw(st.integers(0, len(value) - 1))
        match draw(st.sampled_from(("deeper", "deeper", "deeper", "deeper", "drop", "double"))):
            case "drop":
                return [*value[:at], *value[at + 1 :]]
            case "double":
                return [*value[:at], value[at], *value[at:]]
            case _:
                return [*value[:at], _edited(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, str) and draw(st.booleans()):
        return draw(mutated(value)) if value else draw(hostile_texts())
    return draw(OTHER)


OTHER: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, -1, 1, 65536, 1 << 40, 10**400, 1.5, 1e308)),
    hostile_texts(),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([None]),
    st.just({"": None}),
)


@cache
def demo() -> Snapshot:
    """The node of the demo."""
    return load_snapshot(DEMO.read_bytes(), name="demo")


@cache
def small_demo() -> Snapshot:
    """The same node with one pod's link instead of many, so that a change of it is assessed in a moment."""
    snapshot = demo()
    node = snapshot.nodes[0]
    veth = next(link.name for link in node.links if link.name.startswith("veth"))
    kept = {"lo", "eth0", "cni0", "flannel.1", veth}
    named = re.compile(r"net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\.")

    def stays(key: str) -> bool:
        found = named.match(key)
        return not found or found.group(1).replace("/", ".") in kept | {"all", "default"}

    small = node.model_copy(
        update={
            "links": tuple(link for link in node.links if link.name in kept),
            "sysctls": {key: value for key, value in node.sysctls.items() if stays(key)},
            "routes": tuple(
                route for route in node.routes if all(hop.link in {"", *kept} for hop in route.nexthops)
            ),
            "fdb": tuple(entry for entry in node.fdb if entry.link in kept),
            "neighbours": tuple(entry for entry in node.neighbours if entry.link in kept),
        }
    )
    return snapshot.model_copy(update={"nodes": (small,)})
