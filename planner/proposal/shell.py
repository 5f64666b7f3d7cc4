"""The part of POSIX sh that change scripts are written in, read into simple commands with their lines.

Understood: simple commands with quotes, comments, continuation lines, `;`, `&&`, `||`, here-documents, literal assignments and
their expansion, redirections. A compound command (if, for, while, case, a function, a pipeline, a subshell), a command substitution and an
unset variable are reported as not understood, whole, with the line where they begin. Words: POSIX.1-2024, Shell Command Language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

OPERATORS = ("&&", "||", ";;", "<<-", "<<", ">>", ">|", "<&", ">&", ";", "&", "|", "(", ")", "<", ">", "\n")
COMPOUND = {"if": "fi", "for": "done", "while": "done", "until": "done", "case": "esac", "{": "}"}
REDIRECTIONS = frozenset({"<", ">", ">>", "<<", "<<-", ">|", "<&", ">&"})


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command."""

    words: tuple[str, ...]
    line: int
    stdin: str | None = None
    """Text of a here-document, when it has one."""
    stdin_file: str = ""
    output_file: str = ""
    appends: bool = False
    follows: str = ""
    """`&&` or `||` when it depends on the command before it in the same list."""


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A piece of the script that is outside what is read here."""

    text: str
    line: int
    reason: str


@dataclass(slots=True)
class _Token:
    text: str
    line: int
    operator: bool = False
    problem: str = ""
    heredoc: str | None = None
    descriptor: bool = False
    """A number that stands right before a redirection: `2>`."""


@dataclass(slots=True)
class _Reader:
    text: str
    position: int = 0
    line: int = 1
    variables: dict[str, str] = field(default_factory=dict)
    waiting: list[tuple[_Token, bool, bool]] = field(default_factory=list)

    def tokens(self) -> Iterator[_Token]:
        text = self.text
        while self.position < len(text):
            character = text[self.position]
            if character == "\\" and text[self.position : self.position + 2] == "\\\n":
                self.position += 2
                self.line += 1
            elif character in " \t\r":
                self.position += 1
            elif character == "#":
                end = text.find("\n", self.position)
                self.position = len(text) if end < 0 else end
            elif character == "\n":
                token = _Token("\n", self.line, operator=True)
                self.position += 1
                self.line += 1
                self._heredocs()
                yield token
            elif (operator := self._operator()) is not None:
                yield from self._redirection(operator)
            else:
                yield self._word()
        yield _Token("\n", self.line, operator=True)

    def _operator(self) -> str | None:
        return next((o for o in OPERATORS if self.text.startswith(o, self.position)), None)

    def _redirection(self, operator: str) -> Iterator[_Token]:
        token = _Token(operator, self.line, operator=True)
        self.position += len(operator)
        if operator in {"<<", "<<-"}:
            while self.position < len(self.text) and self.text[self.position] in " \t":
                self.position += 1
            start = self.position
            delimiter = self._word()
            quoted = self.text[start : self.position] != delimiter.text
            token.text = delimiter.text
            token.problem = "heredoc"
            self.waiting.append((token, operator == "<<-", quoted))
        yield token

    def _heredocs(self) -> None:
        for token, strip, quoted in self.waiting:
            lines: list[str] = []
            closed = False
            while self.position < len(self.text):
                end = self.text.find("\n", self.position)
                end = len(self.text) if end < 0 else end
                line = self.text[self.position : end]
                self.position = min(end + 1, len(self.text))
                self.line += 1
                line = line.lstrip("\t") if strip else line
                if line == token.text:
                    closed = True
                    break
                lines.append(line)
            body = "".join(f"{line}\n" for line in lines)
            token.heredoc = body
            if not closed:
                token.problem = "the here-document has no end"
            elif not quoted and re.search(r"[$`]", body):
                expanded, problem = self._expand(body)
                token.heredoc = expanded
                token.problem = problem or token.problem
        self.waiting.clear()

    def _word(self) -> _Token:
        token = _Token("", self.line)
        pieces: list[str] = []
        text = self.text
        while self.position < len(text):
            character = text[self.position]
            if character in " \t\r\n" or self._operator() is not None:
                break
            if character == "\\":
                following = text[self.position + 1 : self.position + 2]
                self.position += 2
                if following == "\n":
                    self.line += 1
                else:
                    pieces.append(following)
            elif character == "'":
                end = text.find("'", self.position + 1)
                if end < 0:
                    token.problem = "a single quote is not closed"
                    end = len(text)
                piece = text[self.position + 1 : end]
                self.line += piece.count("\n")
                pieces.append(piece)
                self.position = end + 1
            elif character == '"':
                self._double_quoted(token, pieces)
            elif character == "$":
                self._variable(token, pieces)
            elif character == "`":
                token.problem = token.problem or "a command substitution"
                end = text.find("`", self.position + 1)
                self.position = len(text) if end < 0 else end + 1
            else:
                pieces.append(character)
                self.position += 1
        token.text = "".join(pieces)
        token.descriptor = token.text.isdigit() and text[self.position : self.position + 1] in {"<", ">"}
        return token

    def _double_quoted(self, token: _Token, pieces: list[str]) -> None:
        text = self.text
        self.position += 1
        while self.position < len(text):
            character = text[self.position]
            if character == '"':
                self.position += 1
                return
            if character == "\\" and text[self.position + 1 : self.position + 2] in {
                "$",
                "`",
                '"',
                "\\",
                "\n",
            }:
                following = text[self.position + 1]
                self.line += following == "\n"
                pieces.append("" if following == "\n" else following)
                self.position += 2
            elif character == "$":
                self._variable(token, pieces)
            else:
                token.problem = token.problem or ("a command substitution" if character == "`" else "")
                self.line += character == "\n"
                pieces.append(character)
                self.position += 1
        token.problem = "a double quote is not closed"

    def _variable(self, token: _Token, pieces: list[str]) -> None:
        match = re.compile(r"\$(?:(\w+)|\{(\w+)\}|([\s\S]?))").match(self.text, self.position)
        if match is None:  # pragma: no cover
            raise AssertionError("the caller saw a dollar sign")
        name = match.group(1) or match.group(2)
        if name is None:
            following = match.group(3)
            if following == "(":
                token.problem = token.problem or "a command substitution"
                self.position = self._balanced(self.position + 1)
            else:
                token.problem = token.problem or (
                    f"the expansion `${following}`" if following.strip() else ""
                )
                pieces.append("$")
                self.position += 1
                if following == "{":
                    end = self.text.find("}", self.position)
                    self.position = len(self.text) if end < 0 else end + 1
            return
        self.position = match.end()
        if name in self.variables:
            pieces.append(self.variables[name])
        else:
            token.problem = token.problem or f"the value of `${name}` is not known"
            pieces.append(match.group(0))

    def _balanced(self, start: int) -> int:
        depth = 0
        for position in range(start, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[position], 0)
            if depth == 0:
                return position + 1
        return len(self.text)

    def _expand(self, body: str) -> tuple[str, str]:
        problem = ""

        def value(match: re.Match[str]) -> str:
            nonlocal problem
            name = match.group(1) or match.group(2)
            if name is None or name not in self.variables:
                problem = problem or f"the here-document expands `{match.group(0)}`, which is not known"
                return match.group(0)
            return self.variables[name]

        return re.sub(r"\$(?:(\w+)|\{(\w+)\}|\()|`", value, body), problem


def read_script(text: str) -> Iterator[Simple | NotUnderstood]:
    """The simple commands of a script in order, and what is not understood in between."""
    reader = _Reader(text.removeprefix("\ufeff"))
    line: list[_Token] = []
    closing: list[str] = []
    block: list[_Token] = []
    for token in reader.tokens():
        word = token.text if not token.operator else ""
        at_start = not line or line[-1].operator
        if closing:
            block.append(token)
            if at_start and word in COMPOUND and word != "{":
                closing.append(COMPOUND[word])
            elif word == closing[-1] or (token.operator and token.text == ")" == closing[-1]):
                closing.pop()
                if not closing:
                    yield _block(block)
                    block, line = [], []
            else:
                line = [token]
            continue
        if at_start and (word in COMPOUND or (token.operator and token.text == "(")):
            yield from _list(line, reader)
            closing.append(COMPOUND.get(word, ")"))
            block, line = [token], [token]
            continue
        if token.operator and token.text == "(" and line:  # `name() {`
            closing.append("}")
            block, line = [*line, token], [token]
            continue
        if token.operator and token.text in {"\n", ";", "&"} and token.problem != "heredoc":
            yield from _list(line, reader)
            line = []
        else:
            line.append(token)
    if block:
        yield _block(block)


def _block(tokens: list[_Token]) -> NotUnderstood:
    words = " ".join(token.text for token in tokens if token.text != "\n")
    first = tokens[0].text if not tokens[0].operator else "("
    kind = {"if": "an `if`", "for": "a loop", "while": "a loop", "until": "a loop", "case": "a `case`"}.get(
        first, "a group, subshell or function"
    )
    return NotUnderstood(words[:200], tokens[0].line, f"{kind}: what it does depends on the run")


def _list(tokens: list[_Token], reader: _Reader) -> Iterator[Simple | NotUnderstood]:
    if not tokens:
        return
    if any(token.operator and token.text == "|" for token in tokens):
        text = " ".join(token.text for token in tokens)
        yield NotUnderstood(text[:200], tokens[0].line, "a pipeline: its input is only known when it runs")
        return
    follows = ""
    command: list[_Token] = []
    for token in [*tokens, _Token("&&", tokens[-1].line, operator=True)]:
        if token.operator and token.text in {"&&", "||"} and token.problem != "heredoc":
            if command:
                yield from _simple(command, follows, reader)
            follows, command = token.text, []
        else:
            command.append(token)


def _simple(tokens: list[_Token], follows: str, reader: _Reader) -> Iterator[Simple | NotUnderstood]:
    words: list[str] = []
    stdin: str | None = None
    stdin_file = output_file = ""
    appends = False
    shown = " ".join(token.text for token in tokens if not token.operator)[:200]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.heredoc is not None or token.problem == "heredoc":
            if token.problem and token.problem != "heredoc":
                yield NotUnderstood(shown, token.line, token.problem)
                return
            stdin = token.heredoc or ""
        elif token.operator and token.text in REDIRECTIONS:
            position += 1
            descriptor = words.pop() if position > 1 and tokens[position - 2].descriptor else "1"
            target = tokens[position].text if position < len(tokens) else ""
            if token.text == "<":
                stdin_file = target
            elif token.text in {">", ">>", ">|"} and descriptor == "1":
                output_file, appends = target, token.text == ">>"
        elif token.operator:
            yield NotUnderstood(shown or token.text, token.line, f"`{token.text}` here")
            return
        elif token.problem:
            yield NotUnderstood(shown, token.line, token.problem)
            return
        else:
            words.append(token.text)
        position += 1
    while words and (assignment := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", words[0], re.DOTALL)):
        if len(words) == 1:
            reader.variables[assignment.group(1)] = assignment.group(2)
        words.pop(0)
    if words and words[0] in {"export", "readonly", "local"}:
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if equals:
                reader.variables[name] = value
        return
    if words:
        yield Simple(tuple(words), tokens[0].line, stdin, stdin_file, output_file, appends, follows)
