"""Text of nft cut into words, quoted strings, signs and line ends, each with its line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TOKEN = re.compile(
    r"""
      (?P<blank>(?:[ \t\r\f]|\\[ \t\r]*\n)+)
    | (?P<comment>\#[^\n]*)
    | (?P<newline>\n)
    | (?P<string>"[^"\n]*")
    | (?P<address>
        (?:[0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}(?![0-9a-fA-F:.])
      | (?=[0-9a-fA-F:.]*:[0-9a-fA-F.]*:)(?:[0-9a-fA-F]{0,4}:){2,7}(?:\d+\.\d+\.\d+\.\d+|[0-9a-fA-F]{0,4})(?![0-9a-zA-Z_:.])(?:/\d+)?
      )
    | (?P<word>[A-Za-z0-9_](?:[A-Za-z0-9_./\\*-]|\\.)*)
    | (?P<sign>==|!=|<=|>=|<<|>>|[!<>&|^(){}\[\],;:.=@$/*+-])
    """,
    re.VERBOSE,
)
TEMPLATE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")
Kind = Literal["newline", "string", "word", "sign"]


class SyntaxMistakeError(Exception):
    """The text is not of the language: what nft says before it looks at anything."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign. Of a string `text` is what stands between the quotes."""

    kind: Kind
    text: str
    line: int
    name: str = ""
    """The file that was included, where it is not of the text itself."""
    glued: bool = False
    """No blank stands before it."""

    def shown(self) -> str:
        """As it was written."""
        return f'"{self.text}"' if self.kind == "string" else self.text


def tokens_of(text: str, name: str = "") -> Iterator[Token]:
    """Tokens in order, comments left out; `name` is that of an included file. Raises SyntaxMistakeError at what can begin none."""
    line, at, glued = 1, 0, False
    template = TEMPLATE.search(text)
    if template:
        raise SyntaxMistakeError(
            text.count("\n", 0, template.start()) + 1,
            f"`{template[0]}` is a place in a template that is not filled in",
        )
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise SyntaxMistakeError(line, f"`{text[at]}` has no meaning here")
        kind, part = found.lastgroup, found.group()
        if kind == "newline":
            yield Token("newline", "\n", line, name, glued)
        elif kind == "string":
            yield Token("string", part[1:-1], line, name, glued)
        elif kind in {"word", "address"}:
            yield Token("word", part, line, name, glued)
        elif kind == "sign":
            yield Token("sign", part, line, name, glued)
        glued = kind not in {"blank", "comment", "newline"}
        line += part.count("\n")
        at = found.end()


def joined(tokens: Sequence[Token]) -> str:
    """The words on one line."""
    text = ""
    for token in tokens:
        if token.kind == "newline":
            continue
        text += ("" if not text or token.glued else " ") + token.shown()
    return text


class Cursor:
    """Tokens read one after the other."""

    def __init__(self, tokens: Sequence[Token], *, line: int = 0) -> None:
        self.tokens = tokens
        self.at = 0
        self._words = [token.text if token.kind != "string" else "" for token in tokens]
        self._line = line

    @property
    def line(self) -> int:
        """The line of the next token."""
        if self.at < len(self.tokens):
            return self.tokens[self.at].line
        return self.tokens[-1].line if self.tokens else self._line

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self.at >= len(self.tokens)

    def peek(self, ahead: int = 0) -> str:
        """The text of a token to come; empty after the last one, and for a quoted string."""
        at = self.at + ahead
        return self._words[at] if at < len(self._words) else ""

    def token(self) -> Token | None:
        """The next token, not taken."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> Token:
        """The next token; SyntaxMistakeError when there is none."""
        if self.done:
            raise SyntaxMistakeError(self.line, "the text ends in the middle of a statement")
        token = self.tokens[self.at]
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Whether the next tokens are these, which then are taken."""
        if self.peek() != words[0]:
            return False
        if len(words) > 1 and any(self.peek(ahead) != word for ahead, word in enumerate(words)):
            return False
        self.at += len(words)
        return True

    def rest(self) -> Sequence[Token]:
        """What is left, taken."""
        left = self.tokens[self.at :]
        self.at = len(self.tokens)
        return left
