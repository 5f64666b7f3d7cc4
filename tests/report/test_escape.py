"""Untrusted text is inert in every format."""

import re

from hypothesis import given
from hypothesis import strategies as st

from planner.report.escape import code, fence, log, markdown, visible

HOSTILE = st.text(
    alphabet=st.sampled_from("a`|<>&@#*_[]()!\\~$-:\n\r\t\x1b\u202e\u2066\u200b\u2028/w."), max_size=60
) | st.sampled_from(
    ["@team", "#123", "<script>", "```", "http://x.y", "www.x.y", "\x1b[31m", "::error::x", "`` ` ``"]
)


def test_controls_become_visible() -> None:
    """An escape sequence cannot recolour a terminal, a bidirectional control cannot reorder a line."""
    assert "\\x1b[31mred\\u202e" == visible("\x1b[31mred\u202e")


def test_one_value_stays_on_one_line() -> None:
    """A newline in a rule's comment cannot forge a line of the report."""
    assert "a\\n-A INPUT -j DROP" == visible("a\n-A INPUT -j DROP")


def test_mentions_references_and_links_stay_text() -> None:
    """Nobody is notified and nothing is linked by a pod's name."""
    assert "\\@team \\#1 http&#58;//x www&#46;x \\<b\\>" == markdown("@team #1 http://x www.x <b>")


@given(HOSTILE)
def test_a_code_span_cannot_be_left(text: str) -> None:
    """The run of backticks that opens it stands nowhere inside."""
    span = code(text)
    opening = re.match(r"`+", span)
    assert opening is not None
    ticks = opening.group(0)
    inside = span[len(ticks) : -len(ticks)]

    assert "\n" not in span
    assert ticks not in re.findall(r"`+", inside)


@given(HOSTILE)
def test_a_fence_cannot_be_left(text: str) -> None:
    """No line inside closes it."""
    first, *inside, last = fence(text).split("\n")

    assert first == last
    assert not any(line.strip().startswith(first) for line in inside)


@given(HOSTILE)
def test_markdown_has_no_live_characters(text: str) -> None:
    """Each special character stands behind a backslash, and the text is one line."""
    shown = markdown(text)
    bare = re.sub(r"\\.|&#58;|&#46;", "", shown)

    assert not re.search(r"[`*_\[\]<>#|~@&$\n\x1b]", bare)


def test_a_log_line_is_no_command() -> None:
    """A runner acts on lines that begin with two colons."""
    assert not log("::error file=x::y").startswith("::")
