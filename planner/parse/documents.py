"""JSON and YAML of unknown origin: small, without surprises, and read as the programs on a node read them."""

import json
from dataclasses import dataclass

from planner.errors import NetchangeError
from planner.parse.document_values import (
    DEEPEST,
    LARGEST,
    MOST_VALUES,
    Value,
    as_object,
    compact,
    inert,
    number_value,
    unreadable,
    whole_text,
)
from planner.parse.yaml_builder import YamlBuilder, line_of

__all__ = ["Document", "Value", "as_object", "compact", "load_either", "load_json", "load_yaml"]


@dataclass(frozen=True, slots=True)
class Document:
    """One document, and what its reader should be told about it."""

    value: Value
    line: int = 1
    problems: tuple[str, ...] = ()
    """Sentences with `name:line` where the line is known: a key that is given twice."""


def load_json(text: str, *, name: str) -> Document:
    """One JSON document, as strict as Go's encoding/json: no comments, no NaN, no trailing commas."""
    _refuse_large(text, name)
    problems: list[str] = []

    def build(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        built: dict[str, Value] = {}
        for key, value in pairs:
            if key in built:
                problems.append(f'`{name}`: the key "{inert(key)}" is given twice; the last one counts')
            built[key] = value
        return built

    def refuse(word: str) -> Value:
        raise ValueError(f"{word} is not JSON")

    try:
        value: Value = json.loads(text, object_pairs_hook=build, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise unreadable(name, error.lineno, error.msg) from error
    except RecursionError as error:
        raise unreadable(name, 0, f"nested deeper than {DEEPEST} levels") from error
    except ValueError as error:
        raise unreadable(name, 0, str(error)[:120]) from error
    return Document(_checked(value, name), problems=tuple(problems))


def load_yaml(text: str, *, name: str) -> tuple[Document, ...]:
    """Every document of a YAML stream; empty ones are left out. Scalars mean what they mean to Kubernetes."""
    import yaml

    _refuse_large(text, name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[Document] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                builder = YamlBuilder(name)
            elif isinstance(event, yaml.ScalarEvent):
                builder.scalar(event.value, event.tag, event.implicit[0], event.anchor, line_of(event))
            elif isinstance(event, yaml.SequenceStartEvent):
                builder.start([], event.tag, event.anchor, line_of(event))
            elif isinstance(event, yaml.MappingStartEvent):
                builder.start({}, event.tag, event.anchor, line_of(event))
            elif isinstance(event, yaml.AliasEvent):
                builder.alias(event.anchor or "", line_of(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                builder.end(line_of(event))
            elif isinstance(event, yaml.DocumentEndEvent) and not builder.empty:
                documents.append(Document(builder.result, builder.first_line, tuple(builder.problems)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise unreadable(name, mark.line + 1 if mark else 0, error.problem or "not YAML") from error
    except yaml.YAMLError as error:
        raise unreadable(name, 0, str(error).split("\n", 1)[0]) from error
    return tuple(documents)


def load_either(text: str, *, name: str) -> tuple[Document, ...]:
    """JSON where the text is JSON, else YAML: the way Kubernetes' own decoders take a file."""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return (load_json(text, name=name),)
        except NetchangeError:
            pass
    return load_yaml(text, name=name)


def _refuse_large(text: str, name: str) -> None:
    if len(text) > LARGEST:
        raise NetchangeError(
            reference="document-too-large",
            message=f"`{name}` has {len(text)} characters, more than {LARGEST}",
            hint="split it, or leave out what does not concern the network",
        )


def _checked(value: Value, name: str) -> Value:
    """The value in one notation (1450.0 is 1450, no half characters); refused when too deep or too much."""
    left = MOST_VALUES

    def check(part: Value, depth: int) -> Value:
        nonlocal left
        left -= 1
        if left < 0:
            raise unreadable(name, 0, f"more than {MOST_VALUES} values")
        if depth > DEEPEST:
            raise unreadable(name, 0, f"nested deeper than {DEEPEST} levels")
        match part:
            case dict():
                return {whole_text(key): check(inner, depth + 1) for key, inner in part.items()}
            case list():
                return [check(inner, depth + 1) for inner in part]
            case float():
                return number_value(part, name)
            case str():
                return whole_text(part)
            case _:
                return part

    return check(value, 0)
