"""The collector's frame: whatever is lost on the way is told, whatever arrived whole is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models.section import Section
from planner.parse.stream import STREAM, find_token, parse_stream

TOKEN = "0123456789abcdef"


def framed(sections, *, end=True, header=True):
    """What the script prints of these sections."""
    lines = [f"{TOKEN} H 1 root=/\n"] if header else []
    for number, section in enumerate(sections, 1):
        if section.skipped:
            lines.append(f"{TOKEN} S {number} {section.name} {section.skipped}\n")
            continue
        lines.append(f"{TOKEN} B {number} {section.name} {section.argv}\n{section.text}\n")
        if section.stderr:
            lines.append(f"{TOKEN} X {number} {section.stderr}\n")
        lines.append(f"{TOKEN} E {number} {section.status}\n")
    if end:
        lines.append(f"{TOKEN} Z {len(sections)}\n")
    return "".join(lines)


NAMES = st.from_regex(r"[a-z]{1,8}(/[a-z.]{1,8}){0,2}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=60).filter(
    lambda text: TOKEN not in text
)
WORDS = st.from_regex(r"[a-z][a-z -]{0,15}[a-z]", fullmatch=True)
RUN = st.builds(
    Section,
    name=NAMES,
    argv=WORDS,
    text=TEXTS,
    status=st.integers(0, 255),
    stderr=st.one_of(st.just(""), WORDS),
)
SKIPPED = st.builds(Section, name=NAMES, skipped=WORDS)
SECTIONS = st.lists(st.one_of(RUN, SKIPPED), max_size=6)


def whole(sections):
    return sections[-1].name == STREAM and sections[-1].usable


@given(SECTIONS)
def test_what_was_printed_is_what_is_read(sections):
    """Content comes back to the last character, with or without a line feed at its end."""
    read, problems = parse_stream(framed(sections), token=TOKEN)

    assert () == problems
    assert tuple(sections) == read[:-1]
    assert whole(read)


@given(SECTIONS, st.data())
def test_a_cut_is_always_seen_and_costs_only_what_is_behind_it(sections, data):
    """An exec session that loses its tail reports success: only the frame shows it."""
    text = framed(sections)
    at = data.draw(st.integers(0, len(text) - 2))

    read, problems = parse_stream(text[:at], token=TOKEN)

    assert problems
    assert not whole(read)
    kept = [section for section in read[:-1] if section.usable]
    assert [section for section in sections if section.usable][: len(kept)] == kept


@given(st.lists(RUN, min_size=2, max_size=6), st.data())
def test_a_lost_section_is_counted(sections, data):
    """A section that vanished whole leaves a hole in the numbers."""
    lost = data.draw(st.integers(0, len(sections) - 1))
    text = framed(sections)
    start = text.index(f"{TOKEN} B {lost + 1} ")
    end = text.index(f"{TOKEN} E {lost + 1} ")
    end = text.index("\n", end) + 1

    read, problems = parse_stream(text[:start] + text[end:], token=TOKEN)

    assert any("1 section lost" in problem for problem in problems)
    assert tuple(one for at, one in enumerate(sections) if at != lost) == read[:-1]


@given(st.text(max_size=400))
def test_any_text_is_read_without_a_crash(text):
    """What is not a stream is a problem, not a traceback."""
    sections, problems = parse_stream(text)

    assert problems or find_token(text)
    assert STREAM == sections[-1].name


@given(SECTIONS)
def test_carriage_returns_of_a_terminal_are_undone_and_told(sections):
    """A serial console turns each line feed into two characters."""
    text = framed(sections).replace("\n", "\r\n")

    read, problems = parse_stream(text, token=TOKEN)

    assert tuple(sections) == read[:-1]
    assert any("CR LF" in problem for problem in problems)


def test_a_cut_section_has_no_status_and_says_where_it_was_cut():
    """Its text is kept for people, and is not believed."""
    text = framed([Section(name="a", argv="x", text="vwxyz")])
    read, problems = parse_stream(text[: text.index("yz")], token=TOKEN)

    assert Section(name="a", argv="x", text="vwx", status=None, stderr="cut after 3 bytes") == read[0]
    assert "section a is cut after 3 bytes" in problems
    assert "no end mark: its tail is lost" in problems


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text.replace(f"{TOKEN} H", "H"), "no header"),
        (lambda text: text.replace(" H 1 ", " H 9 "), "format `9`"),
        (lambda text: text.replace(" Z 2", " Z 5"), "3 sections lost at its end"),
        (lambda text: text.replace(" Z 2", " Z x"), "end mark is damaged"),
        (lambda text: text.replace(" E 2 0", " E 2 ?"), "status of section b is damaged"),
        (lambda text: text.replace(" E 2 0", " E 7 0"), "ends without having begun"),
        (lambda text: text.replace(" B 2 b", " B two b"), "damaged line"),
        (lambda text: text + text, "second header"),
    ],
)
def test_each_damage_has_its_sentence(damage, told):
    """Who copies streams about must learn which fault it is."""
    text = framed([Section(name="a", argv="x", text="1\n"), Section(name="b", argv="y", text="2\n")])

    sections, problems = parse_stream(damage(text), token=TOKEN)

    assert any(told in problem for problem in problems)
    assert told in sections[-1].stderr


def test_content_cannot_forge_a_frame():
    """A rule comment that looks like an end mark of another token is content."""
    forged = "other E 1 0\nother Z 1\n"
    sections, problems = parse_stream(framed([Section(name="a", argv="x", text=forged)]), token=TOKEN)

    assert () == problems
    assert forged == sections[0].text


def test_the_token_of_a_saved_stream_is_that_of_its_header():
    """A login banner before the header is passed over."""
    assert TOKEN == find_token("Welcome to node 7\n" + framed([]))
