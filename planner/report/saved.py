"""A saved assessment: written by `netchange plan --out`, read by `netchange report`."""

import json
from typing import Any

from pydantic import ValidationError

from planner.errors import NetchangeError
from planner.models.assessment import ASSESSMENT_VERSION, Assessment
from planner.parse.large_json import expect_whole_text

GZIP = b"\x1f\x8b"
HINT = "give the assessment.json that `netchange plan --out DIR` wrote"


def dump(assessment: Assessment) -> bytes:
    """Equal bytes for equal assessments."""
    return assessment.model_dump_json(indent=1).encode() + b"\n"


def load(data: bytes, *, name: str) -> Assessment:
    """The assessment that `dump` wrote. Raises NetchangeError with the place of the mistake."""
    document = _document(data, name)
    wrong = _wrong_kind(document)
    if wrong:
        raise _unreadable(name, wrong)
    try:
        assessment = Assessment.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise _unreadable(name, f"at `{where}`: {first['msg']}") from error
    if any(
        number not in range(len(assessment.findings)) for c in assessment.changes for number in c.findings
    ):
        raise _unreadable(name, "a change names a finding that is not there")
    return assessment


def _document(data: bytes, name: str) -> Any:
    if data.startswith(GZIP):
        raise _unreadable(name, "it is compressed, as a snapshot may be")
    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_once)
        expect_whole_text(text, document)
    except json.JSONDecodeError as error:
        raise _unreadable(name, f"line {error.lineno} is not JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(name, f"byte {error.start} is not UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise _unreadable(name, str(error)) from error
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(
            f"an object names the key `{next(key for key in names if names.count(key) > 1)}` twice"
        )
    return found


def _wrong_kind(document: Any) -> str:
    if not isinstance(document, dict):
        return "its JSON is not an object"
    if document.get("format") == "netchange.report":
        return "it is the report that `--format json` prints"
    if "level" not in document and "nodes" in document:
        return "it is a snapshot"
    if document.get("schema_version", ASSESSMENT_VERSION) != ASSESSMENT_VERSION:
        return f"it has schema version {json.dumps(document['schema_version'])[:40]}"
    return ""


def _unreadable(name: str, why: str) -> NetchangeError:
    return NetchangeError(
        reference="assessment-unreadable",
        message=f"`{name}` is not a saved assessment of version {ASSESSMENT_VERSION}: {why}",
        hint=HINT,
    )
