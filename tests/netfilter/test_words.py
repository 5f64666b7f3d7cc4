"""Words are split as iptables-restore splits them, and nothing in them can become another rule."""

from hypothesis import given
from hypothesis import strategies as st

from planner.netfilter.problem import RuleError
from planner.netfilter.words import in_quotes, join_words, quotes_open, save_string, split_raw, split_words

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
NASTY = st.text(alphabet="ab \"\\'\t\n-!=$`;|", max_size=30)


@given(st.lists(TEXT | NASTY, max_size=8))
def test_joining_is_undone_by_splitting(words: list[str]) -> None:
    """Whatever the words hold, they come back."""
    assert tuple(words) == split_words(join_words(words))


@given(TEXT | NASTY)
def test_free_text_comes_back_from_both_ways_of_quoting(text: str) -> None:
    """A comment survives, whether iptables prints quotes around it or not."""
    assert (text,) == split_words(in_quotes(text))
    assert (text,) == split_words(save_string(text))


@given(NASTY)
def test_splitting_raises_only_its_own_error_and_keeps_the_written_form(text: str) -> None:
    """The pieces as written, put together, split again into the same words."""
    try:
        words, raws = split_raw(text)
    except RuleError:
        assert quotes_open(text)
        return

    assert not quotes_open(text)
    assert len(words) == len(raws)
    assert words == split_words(" ".join(raws))


def test_a_closing_quote_ends_the_word() -> None:
    """As in iptables' own splitter: `a"b c"d` is two words."""
    assert ("ab c", "d") == split_words('a"b c"d')


def test_single_quotes_and_bare_backslashes_mean_nothing() -> None:
    """Unlike in a shell."""
    assert ("'a", "b'", "c\\d") == split_words("'a b' c\\d")


def test_only_letters_digits_dash_and_underscore_stay_bare() -> None:
    """`default/kubernetes:https` gets quotes, an apostrophe a backslash."""
    assert "kube_dns-1" == save_string("kube_dns-1")
    assert '"default/kubernetes:https"' == save_string("default/kubernetes:https")
    assert '"it\\\'s"' == save_string("it's")
    assert '""' == save_string("")
