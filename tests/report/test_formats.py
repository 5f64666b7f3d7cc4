"""Every format draws the same view; one golden file each, rewritten with NETCHANGE_UPDATE_GOLDEN=1."""

import json
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sample import HOSTILE, sample

from planner.errors import NetchangeError
from planner.models.assessment import Assessment
from planner.models.comparison import NodeComparison
from planner.models.finding import Level
from planner.models.source import WOULD_FAIL, Gap, Source
from planner.report import json_v1, markdown, saved, terminal

GOLDEN = Path(__file__).parent / "golden"
FORMATS = {"terminal.txt": terminal.render, "markdown.md": markdown.render, "report.json": json_v1.render}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_golden(name: str) -> None:
    """What a reader sees, whole."""
    shown = FORMATS[name](sample())
    golden = GOLDEN / name
    if os.environ.get("NETCHANGE_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown)

    assert golden.read_text() == shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_keeps_to_its_width(width: int) -> None:
    """No line is longer than the terminal; nothing depends on colour."""
    shown = terminal.render(sample(), width=width)

    assert "\x1b" not in shown
    assert [] == [line for line in shown.split("\n") if len(line) > width]
    assert "CRITICAL" in shown


def test_colour_adds_nothing_but_colour() -> None:
    """The words are the same."""
    coloured = terminal.render(sample(), color=True)
    plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n"))

    assert terminal.render(sample()) == plain


def hostile(text: str) -> Assessment:
    base = sample()
    change = HOSTILE.model_copy(
        update={"rule": f'-m comment --comment "{text}" -j DROP', "chain": text or "X"}
    )
    scored = base.changes[2].model_copy(update={"change": change})
    found = base.findings[1].finding.model_copy(update={"change": change, "message": text})
    return base.model_copy(
        update={
            "changes": (*base.changes[:2], scored),
            "findings": (base.findings[0], base.findings[1].model_copy(update={"finding": found})),
            "title": text,
            "packets": (_hostile_packets(base, text),),
        }
    )


def _hostile_packets(base: Assessment, text: str) -> NodeComparison:
    held = base.packets[0]
    classes = [
        one.model_copy(
            update={
                "because": (text,),
                "walked_after": one.walked_after and one.walked_after.model_copy(update={"reason": text}),
            }
        )
        for one in held.comparison.classes
    ]
    comparison = held.comparison.model_copy(update={"classes": tuple(classes), "unknown": (text,)})
    return held.model_copy(update={"comparison": comparison})


def markup(text: str) -> tuple[list[str], set[str]]:
    """What a Markdown reader makes of it: every piece of raw HTML, and the kinds of token."""
    html: list[str] = []
    kinds: set[str] = set()
    stack = list(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text))
    while stack:
        token = stack.pop()
        kinds.add(token.type)
        if token.type in {"html_block", "html_inline"}:
            html.append(token.content)
        stack.extend(token.children or ())
    return html, kinds


OURS = re.compile(r"</?details>|</?summary>|</?sub>|<!--(?:(?!-->)[\s\S])*-->")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab`|<>&@#*_[]()!\\~\"'$-\n\r\x1b\u202e\u2066/w.:"), max_size=40))
def test_hostile_names_are_inert(text: str) -> None:
    """No control character, no tag of ours closed early, no live HTML: whatever a rule or pod is called."""
    shown = markdown.render(hostile(text))
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf"} and c != "\n"]
    html, kinds = markup(shown)
    assert "<" not in OURS.sub("", "".join(html))
    assert {"link_open", "image", "s_open"} & kinds == set()
    assert not [
        c for c in terminal.render(hostile(text)) if unicodedata.category(c) in {"Cc", "Cf"} and c != "\n"
    ]


def test_markdown_fits_a_comment_and_says_what_it_dropped() -> None:
    """Whole parts are left out, never half of one."""
    base = sample()
    many = base.model_copy(update={"findings": base.findings * 600})
    shown = markdown.render(many, budget=20_000)

    assert markdown.size(shown) <= 20_000
    assert re.search(r"\d+ parts? left out", shown)
    html = "".join(markup(shown)[0])
    assert html.count("<details>") == html.count("</details>")


def test_json_validates_against_the_published_schema() -> None:
    """The form is what schemas/ says: it loads again, and its level is a word."""
    loaded = json_v1.ReportV1.model_validate_json(json_v1.render(sample()))

    assert ("critical", 3, 2) == (loaded.level, len(loaded.changes), len(loaded.findings))
    assert json.loads(json_v1.render(sample()))["findings"][0]["place"] == {
        "file": "etc/sysctl.d/90-a.conf",
        "line": 3,
    }


def test_a_saved_assessment_comes_back_whole() -> None:
    """`report` draws what `plan` computed."""
    assert sample() == saved.load(saved.dump(sample()), name="a")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "`a` is not a saved assessment"),
        (b"{}", "Field required"),
        (b"[1", "line 1 is not JSON"),
        (b'{"netchange": 3}', "at `netchange`"),
    ],
)
def test_what_is_no_assessment_is_refused_in_a_sentence(data: bytes, words: str) -> None:
    """Name, place and what to do."""
    with pytest.raises(NetchangeError, match=words):
        saved.load(data, name="a")


def failing(**more: object) -> Assessment:
    gaps = (
        Gap(
            section=WOULD_FAIL,
            reason="would fail on worker-1: no chain by that name",
            source=Source(name="fw.rules", line=3),
        ),
        Gap(
            section=WOULD_FAIL,
            reason="would fail on worker-2: no chain by that name",
            source=Source(name="fw.rules", line=3),
        ),
    )
    return sample().model_copy(update={"gaps": gaps, **more})


@pytest.mark.parametrize("render", [terminal.render, markdown.render])
def test_a_proposal_that_the_node_refuses_does_not_read_as_all_fine(
    render: Callable[[Assessment], str],
) -> None:
    """Nothing changes because everything fails: the first line says so, a row counts it, each reason is told."""
    nothing = {"changes": (), "findings": (), "plans": (), "level": Level.NONE}
    shown = re.sub(r"\s+", " ", render(failing(**nothing)))
    head, _, body = shown.partition("snapshot of" if render is terminal.render else "fw.rules")

    assert "nothing changes; 1 command would fail" in head
    assert re.search(r"Would fail(:| \|) 1 command: fw\.rules:3", body)
    assert body.index("would fail on worker-2") < (
        len(body) if render is markdown.render else body.index("What")
    )
    assert re.search(r"Not read or not modelled(:| \|) none", body)


def test_findings_and_failing_commands_stand_in_one_headline() -> None:
    """Findings of what works do not hide what does not."""
    assert "2 findings (1 critical, 1 medium); 1 command would fail" in terminal.render(failing(), width=200)
