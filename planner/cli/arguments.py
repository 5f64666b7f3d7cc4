"""The words of the command line, before anything acts on them."""

from collections.abc import Iterator, Sequence

from planner.errors import NetchangeError

FREE = frozenset({"--title", "--in"})
"""Options whose value is any text, also an empty one or a dash."""
OUTPUTS = frozenset({"-o", "--output"})
STDIN = "/dev/stdin"
STDOUT = "/dev/stdout"


def arguments(argv: Sequence[str]) -> list[str]:
    """`-` is standard input, or standard output after `-o`. An empty word is refused: it would mean the current directory."""
    words = list(_words(argv))
    if words.count(STDIN) > 1:
        raise NetchangeError(
            reference="stdin-twice",
            message="standard input is named twice, and can be read once",
            hint="write one of the two to a file",
        )
    return words


def _words(argv: Sequence[str]) -> Iterator[str]:
    option = ""
    for number, word in enumerate(argv, 1):
        _expect_text(word, number)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", word)
        if option not in FREE and name not in FREE and not value and (equals or not word):
            about = f" of `{name}`" if equals else f" after `{option}`" if option else ""
            raise NetchangeError(
                reference="argument-empty",
                message=f"argument {number}{about} is empty",
                hint="is a variable of the calling script not set?",
            )
        if word == "-" and option not in FREE:
            word = STDOUT if option in OUTPUTS else STDIN  # noqa: PLW2901 - the word as it is meant
        yield word
        option = word if word.startswith("-") and not equals else ""


def _expect_text(word: str, number: int) -> None:
    try:
        word.encode()
    except UnicodeEncodeError as error:
        shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise NetchangeError(
            reference="argument-not-text",
            message=f"argument {number}, `{shown}`, is not text in the encoding of this terminal",
            hint="rename the file, or set LC_ALL=C.UTF-8 when the name is UTF-8",
        ) from error
