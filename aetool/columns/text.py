"""Free text, which is not modelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aetool.columns.column import Column
from aetool.columns.summary import Summary


@dataclass(frozen=True)
class Text(Column):
    """A column of texts that hardly repeat, or of whatever else fits no other kind: models do not
    see it."""

    kind: ClassVar[str] = "text"

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column of text, never None, whatever its values are: text is what fits no other
        kind."""
        return cls(summary.name, summary.dtype)

    def understood(self) -> str:
        """Words that say how the column was read: "text that hardly repeats itself"."""
        return "text that hardly repeats itself"
