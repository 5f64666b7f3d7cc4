"""A saved assessment: written by `netchange plan --out`, read by `netchange report`."""

from pydantic import ValidationError

from planner.errors import NetchangeError
from planner.models.assessment import ASSESSMENT_VERSION, Assessment


def dump(assessment: Assessment) -> bytes:
    """Equal bytes for equal assessments."""
    return assessment.model_dump_json(indent=1).encode() + b"\n"


def load(data: bytes, *, name: str) -> Assessment:
    """The assessment that `dump` wrote. Raises NetchangeError with the place of the mistake."""
    try:
        return Assessment.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        at = f" at `{where}`" if where else ""
        raise NetchangeError(
            reference="assessment-unreadable",
            message=f"`{name}` is not a saved assessment of version {ASSESSMENT_VERSION}{at}: {first['msg']}",
            hint="give the assessment.json that `netchange plan --out DIR` wrote",
        ) from error
