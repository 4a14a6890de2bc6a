"""What a model knows of its columns beforehand: plans, statistics and the student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aetool.bundle import Bundle


def shared_of(model: Bundle, names: Sequence[str] | None = None) -> Any:
    """The shared part of a model (for a table of these columns); None if it has none (for them)."""
    return None
