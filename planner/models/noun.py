"""The base of every noun: frozen, closed, comparable."""

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A value that data enters or leaves as. Unknown fields are refused, so that a slip of a writer is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
