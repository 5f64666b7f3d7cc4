"""Shell text that carries what others wrote without obeying it, held against real shells."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.emit.script import comment, plain, quote, with_stdin, words
from planner.errors import NetchangeError

SHELLS = [shell for shell in (("dash",), ("bash", "--posix"), ("busybox", "sh")) if shutil.which(shell[0])]
TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from("'\"\\$`!#&|;<>(){}[]*?~ \t\n\r=%-"),
        st.characters(exclude_characters="\0", exclude_categories=("Cs",)),
    ),
    max_size=40,
)


def printed(shell: tuple[str, ...], script: str) -> bytes:
    return subprocess.run([*shell, "-c", script], capture_output=True, check=True, timeout=20).stdout


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=60, deadline=None)
@given(argv=st.lists(TEXT, min_size=1, max_size=4))
def test_words_arrive_as_they_were(shell: tuple[str, ...], argv: list[str]) -> None:
    """Whatever is in a name or a comment, the command gets exactly it, and nothing of it is run."""
    expected = b"".join(b"[" + word.encode() + b"]" for word in argv)

    assert expected == printed(shell, f"printf '[%s]' {words(argv)}")


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(TEXT, TEXT.map(lambda text: text + "\n"), st.just("a\nNETCHANGE_END\nNETCHANGE_END_\n"))
)
def test_standard_input_arrives_as_it_was(shell: tuple[str, ...], text: str) -> None:
    """Also a text that holds the delimiter, that has no last line break, or that is empty."""
    assert text.encode() == printed(shell, with_stdin("cat", text))


def test_a_failure_behind_standard_input_is_seen() -> None:
    """`rest` belongs to the command, not to what feeds it."""
    for text in ("", "x", "x\n"):
        assert b"failed\n" == printed(("dash",), with_stdin("false", text, rest="|| echo failed"))


@given(text=TEXT)
def test_a_comment_is_one_line(text: str) -> None:
    """A line break in a title would turn its rest into a command."""
    assert 1 == len(comment(text).splitlines())
    assert "\x1b" not in plain(text + "\x1b[2J")
    assert "\u202e" not in plain(text + "\u202e")


def test_what_no_shell_can_carry_is_refused() -> None:
    """A NUL would cut a word silently."""
    for attempt in (lambda: quote("a\0b"), lambda: with_stdin("cat", "a\0b")):
        with pytest.raises(NetchangeError) as refused:
            attempt()
        assert "text-unusable" == refused.value.reference
