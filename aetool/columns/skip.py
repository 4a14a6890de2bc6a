"""Columns that the user leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from aetool.columns.column import Column
from aetool.columns.summary import Summary


@dataclass(frozen=True)
class Skip(Column):
    """A column that the user leaves out: models do not see it, whatever it holds."""

    kind: ClassVar[str] = "skip"

    @classmethod
    def infer(cls, summary: Summary, asked: bool) -> Self | None:
        """The column, if the user asks to leave it out, else None."""
        return cls(summary.name, summary.dtype) if asked else None

    def understood(self) -> str:
        """Words that say how the column was read: "left out, as asked"."""
        return "left out, as asked"
