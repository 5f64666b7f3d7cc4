"""What `trace`, `reach` and `compare` print with `--json`: an envelope that says what it is, around the nouns of the data plane."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.models.comparison import Comparison
from planner.models.flow import Flow, Trace
from planner.models.reach import Reach


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["1"] = "1"
    node: str = Field(description="the node that was asked")


class TracedFlow(BaseModel):
    """One flow and everything that may become of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow: Flow
    traces: tuple[Trace, ...] = Field(description="one for each way the draws on its way can fall")


class TraceV1(_Answer):
    """What `netchange trace --json` prints. Fields may be added within version 1."""

    format: Literal["netchange.trace"] = "netchange.trace"
    flows: tuple[TracedFlow, ...]


class ReachV1(_Answer):
    """What `netchange reach --json` prints. Fields may be added within version 1."""

    format: Literal["netchange.reach"] = "netchange.reach"
    reach: tuple[Reach, ...] = Field(description="one for each family of addresses that was asked for")


class ComparisonV1(_Answer):
    """What `netchange compare --json` prints. Fields may be added within version 1."""

    format: Literal["netchange.comparison"] = "netchange.comparison"
    equivalent: bool = Field(description="no packet is treated differently, and that is proven")
    comparison: Comparison
    places: tuple[str, ...] = Field(
        description="for each class, file and line of the proposal that decides it; empty where no line can be named"
    )


def printed(answer: _Answer) -> bytes:
    """As text that ends with a line feed."""
    return (answer.model_dump_json(indent=2) + "\n").encode()
