"""`define`, `$name` and `include`: the tokens that are left once they are carried out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from planner.nft.tokens import SyntaxMistakeError, Token, tokens_of

Include = Callable[[str], Sequence[tuple[str, str]] | None]
"""The files, name and text, that an included path stands for; None when they are not known."""
DEEPEST = 16


def expanded(text: str, include: Include, *, missing: list[tuple[int, str]], name: str = "") -> list[Token]:
    """Tokens with variables put in. Paths that are not known go to `missing`, with the line that names them."""
    return list(_Expansion(include, missing).run(list(tokens_of(text, name)), 0))


class _Expansion:
    def __init__(self, include: Include, missing: list[tuple[int, str]]) -> None:
        self.include = include
        self.missing = missing
        self.scopes: list[dict[str, Sequence[Token]]] = [{}]

    def run(self, tokens: Sequence[Token], depth: int) -> Iterator[Token]:
        at = 0
        fresh = True
        while at < len(tokens):
            token = tokens[at]
            if fresh and token.text in {"define", "redefine", "undefine"} and token.kind == "word":
                at = self._define(tokens, at)
                continue
            if fresh and token.text == "include" and token.kind == "word":
                yield from self._included(tokens, at, depth)
                at += 2
                continue
            if token.text == "$" and token.kind == "sign":
                if at + 1 >= len(tokens):
                    raise SyntaxMistakeError(token.line, "a name is missing after `$`")
                yield from self._value(tokens[at + 1], token)
                at, fresh = at + 2, False
                continue
            if token.kind == "sign" and token.text == "{":
                self.scopes.append({})
            elif token.kind == "sign" and token.text == "}" and len(self.scopes) > 1:
                self.scopes.pop()
            fresh = token.kind == "newline" or (token.kind == "sign" and token.text in {";", "{", "}"})
            yield token
            at += 1

    def _define(self, tokens: Sequence[Token], at: int) -> int:
        word = tokens[at]
        if at + 1 >= len(tokens) or tokens[at + 1].kind != "word":
            raise SyntaxMistakeError(word.line, f"`{word.text}` needs a name")
        name = tokens[at + 1].text
        if word.text == "undefine":
            self.scopes[-1].pop(name, None)
            return at + 2
        if at + 2 >= len(tokens) or tokens[at + 2].text != "=":
            raise SyntaxMistakeError(word.line, f"`{word.text} {name}` needs ` = value`")
        end, depth = at + 3, 0
        while end < len(tokens):
            token = tokens[end]
            depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "sign" else 0
            if depth <= 0 and (token.kind == "newline" or (token.kind == "sign" and token.text == ";")):
                break
            end += 1
        if end == at + 3:
            raise SyntaxMistakeError(word.line, f"`{word.text} {name} =` has no value")
        inner = _Expansion(self.include, self.missing)
        inner.scopes = [*self.scopes, {}]
        self.scopes[-1][name] = [one for one in inner.run(tokens[at + 3 : end], 0) if one.kind != "newline"]
        return end

    def _value(self, name: Token, dollar: Token) -> Iterator[Token]:
        for scope in reversed(self.scopes):
            if name.text in scope:
                first = scope[name.text][0] if scope[name.text] else None
                for token in scope[name.text]:
                    yield replace(
                        token,
                        line=dollar.line,
                        name=dollar.name,
                        glued=dollar.glued if token is first else token.glued,
                    )
                return
        if not self.missing:
            raise SyntaxMistakeError(dollar.line, f"`${name.text}` is not defined above this line")
        yield Token("word", f"${name.text}", dollar.line, dollar.name)

    def _included(self, tokens: Sequence[Token], at: int, depth: int) -> Iterator[Token]:
        word = tokens[at]
        if at + 1 >= len(tokens) or tokens[at + 1].kind != "string":
            raise SyntaxMistakeError(
                word.line, '`include` needs a path in quotes: `include "/etc/nftables.d/*.nft"`'
            )
        path = tokens[at + 1].text
        files = self.include(path)
        if files is None:
            self.missing.append((word.line, path))
            return
        if depth >= DEEPEST:
            raise SyntaxMistakeError(word.line, f"`{path}` is included by itself")
        for name, text in files:
            try:
                found = list(tokens_of(text, name))
            except SyntaxMistakeError as error:
                raise SyntaxMistakeError(error.line, f"{error.message} (in `{name}`)") from error
            yield from self.run(found, depth + 1)
            yield Token("newline", "\n", word.line)
