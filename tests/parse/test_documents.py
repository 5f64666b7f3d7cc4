"""JSON and YAML from anywhere: read exactly, refused when it is a trap."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import NetchangeError
from planner.parse.documents import compact, load_json, load_yaml

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def yaml_values(text):
    return [document.value for document in load_yaml(text, name="f.yaml")]


TEXTS = st.text(st.characters(max_codepoint=0xD7FF))
KEYS = TEXTS.filter(lambda text: len(json.dumps(text)) <= 1024)
"""YAML takes no longer ones on one line (yaml.org, spec 1.2, 7.4.2: implicit keys)."""
"""YAML has no escape for a character beyond; JSON writes it as two halves."""


class TestJson:
    def test_a_key_given_twice_is_told(self):
        """Go takes the last one; the reader learns that there were two."""
        document = load_json('{"mtu": 1400, "mtu": 1450}', name="a.conf")
        assert {"mtu": 1450} == document.value
        assert ('`a.conf`: the key "mtu" is given twice; the last one counts',) == document.problems

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            '{"a": NaN}',
            '{"a": Infinity}',
            "{'a': 1}",
            '{"a": 1,}',
            "// no\n{}",
            "[" * 100_000,
            "[" * 80 + "]" * 80,
            "1" * 5000,
            "\ufeff{}",
        ],
    )
    def test_what_go_refuses_is_refused(self, text):
        """NaN, comments, trailing commas and bottomless nesting are errors with the file's name."""
        with pytest.raises(NetchangeError, match=r"x\.json"):
            load_json(text, name="x.json")

    def test_the_line_is_named(self):
        """An error says where."""
        with pytest.raises(NetchangeError, match=r"x\.json:3"):
            load_json('{\n"a": 1,\n"b" 2}', name="x.json")

    def test_a_whole_number_is_one_however_written(self):
        """1450.0 is 1450; a switch is never a number."""
        assert compact(load_json("[1450.0, true]", name="x").value) == compact(
            load_json("[1450, true]", name="x").value
        )
        assert compact(load_json("[1]", name="x").value) != compact(load_json("[true]", name="x").value)

    def test_half_a_character_is_replaced(self):
        """What cannot be written again as UTF-8 does not get in."""
        assert "a\ufffd" == load_json('"a\\ud800"', name="x").value

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | TEXTS,
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
            max_leaves=20,
        )
    )
    def test_what_json_writes_is_read_back_by_both_readers(self, value):
        """JSON is YAML: both readers agree on what the standard library writes."""
        text = json.dumps(value)
        assert value == load_json(text, name="x").value
        assert ([] if value is None else [value]) == yaml_values(text)


class TestYaml:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a: on", {"a": True}),
            ("a: y", {"a": "y"}),
            ("a: 1:30", {"a": "1:30"}),
            ("a: 2001-01-01", {"a": "2001-01-01"}),
            ("a: 1e3", {"a": 1000}),
            ("a: 0755", {"a": 0o755}),
            ("a: 0x4000", {"a": 0x4000}),
            ("a: 08", {"a": 8}),
            ("a: '5'", {"a": "5"}),
            ("a: !!str 5", {"a": "5"}),
            ("a: !!int '5'", {"a": 5}),
            ("a: ~", {"a": None}),
            ("a:", {"a": None}),
            ("10.0.0.1: x", {"10.0.0.1": "x"}),
            ("1: x", {"1": "x"}),
            ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
            (
                "base: &b {mtu: 1, q: 2}\nover:\n  <<: *b\n  q: 3",
                {"base": {"mtu": 1, "q": 2}, "over": {"q": 3, "mtu": 1}},
            ),
            ("", None),
        ],
    )
    def test_scalars_mean_what_they_mean_to_kubernetes(self, text, value):
        """YAML 1.1 words, no base 60, no dates; an empty stream has no document."""
        assert ([] if value is None else [value]) == yaml_values(text)

    def test_several_documents_and_their_lines(self):
        """Empty documents are left out; each knows where it begins."""
        documents = load_yaml("---\na: 1\n---\n---\nb: 2\n", name="x")
        assert [({"a": 1}, 2), ({"b": 2}, 5)] == [(document.value, document.line) for document in documents]

    def test_a_key_given_twice_is_told_with_its_line(self):
        """flannel once shipped `cniVersion` twice."""
        (document,) = load_yaml("a: 1\nb: 2\na: 3\n", name="k.yaml")
        assert {"a": 3, "b": 2} == document.value
        assert ('`k.yaml:3`: the key "a" is given twice; the last one counts',) == document.problems

    @pytest.mark.parametrize(
        "text",
        [
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
            ),
            "[" * 50_000,
            "&a [*a]",
            "!!python/object/apply:os.system ['true']",
            "a: !custom 1",
            "? [1, 2]\n: x",
            "a: .nan",
            "a: [1",
            "a: *nothing",
            "\x00",
        ],
    )
    def test_traps_are_refused(self, text):
        """Alias bombs, loops, foreign tags and bottomless nesting are errors, not an end of memory."""
        with pytest.raises(NetchangeError, match=r"bomb\.yaml"):
            load_yaml(text, name="bomb.yaml")


@pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")
def test_real_manifests_are_read_as_pyyaml_reads_them():
    """Over real manifests the reader differs from PyYAML nowhere that its rules do not say so."""
    import yaml

    read = 0
    for path in sorted((DATA / "real" / "k8s-config").rglob("*.y*ml")) + sorted(
        (DATA / "real" / "pairs").rglob("*.y*ml")
    ):
        text = path.read_text(errors="replace")
        try:
            theirs = [each for each in yaml.safe_load_all(text) if each is not None]
            expected = compact(json.loads(json.dumps(theirs, default=str)))
        except (yaml.YAMLError, TypeError):
            continue
        assert expected == compact(yaml_values(text)), path
        read += 1
    assert read > 20
