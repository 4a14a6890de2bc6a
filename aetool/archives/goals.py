"""What an archive is asked to keep: at most some error, or at most some bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from aetool.archives.yardstick import PictureYardstick, Yardstick
from aetool.arguments import Bytes
from aetool.errors import ParamError
from aetool.spelling import option


class Asked(Protocol):
    """Options of a command that limit an archive's error or its size; at most one of them is not
    None."""

    @property
    def rmse(self) -> float | None:
        """The root mean squared error allowed, as a part of each column's standard deviation; None
        for any."""

    @property
    def target_psnr(self) -> float | None:
        """The peak signal-to-noise ratio that pictures must keep, in dB; None for any."""

    @property
    def budget(self) -> int | None:
        """The bytes that the archive may take at most; None for any."""

    @property
    def bytes_per_picture(self) -> float | None:
        """The bytes that the archive may take for each picture; None for any."""


@dataclass(frozen=True)
class Goal:
    """The limit that an archive must keep: error, the most that it may have in standard deviations
    of the columns, or budget, the most bytes; the other one is None. wording: the option that asked
    for it with its value, as messages name it, such as "--rmse 2%". pictures: how many the bytes
    are for, where those of each were asked for; else 0."""

    wording: str
    error: float | None = None
    budget: int | None = None
    pictures: int = 0

    def is_exceeded_by(self, size: int) -> bool:
        """Whether an archive of so many bytes is larger than the budget; False where errors were
        asked for."""
        return self.budget is not None and size > self.budget

    def size_in_words(self, size: int) -> str:
        """The bytes of an archive in words, such as "1,234 bytes"; where the goal is of bytes for
        each picture, these come first: "12.4 bytes a picture, 1,234 bytes in all"."""
        if not self.pictures:
            return f"{size:,} bytes"
        # rounded up, so that whoever asks for this number gets the archive
        tenths = math.ceil(10 * size / self.pictures)
        return f"{tenths / 10:,} bytes a picture, {size:,} bytes in all"


def is_asked(options: Asked) -> bool:
    """Whether the options ask for an error or a size of the archive. ParamError if they ask for
    more than one, or for a number out of range: all are 0 or more, and finite; --rmse is below
    1."""
    values = {
        option("--rmse"): options.rmse,
        option("--target-psnr"): options.target_psnr,
        option("--budget"): options.budget,
        option("--bytes-per-picture"): options.bytes_per_picture,
    }
    # as nobody can say which of two wishes comes first, one is enough
    named_options = [name for name, value in values.items() if value is not None]
    if len(named_options) > 1:
        names = " and ".join(named_options)
        raise ParamError(f"{names} exclude each other: ask for one of them")
    for name in named_options:
        value = values[name]
        if value is not None and not 0 <= value < float("inf"):
            raise ParamError(f"{name} must be 0 or more, got {value:g}")
    # at 1 the mean of each column does as well
    if options.rmse is not None and options.rmse >= 1:
        raise ParamError(
            f"{option('--rmse')} {options.rmse:g}: is a part of a standard deviation, below 1 (100 "
            "%), at which nothing is left of the records"
        )
    return bool(named_options)


def goal_of(options: Asked, yardstick: Yardstick, pictures: int) -> Goal | None:
    """The goal that the options set: the error allowed, or the bytes; None if they set neither.
    Decibels become an error by the yardstick, and bytes of each picture a budget by the number of
    pictures, 0 of a table. ParamError for more than one of them, a number out of range, and where a
    table is asked for decibels or bytes of each picture."""
    if not is_asked(options):
        return None
    # a table has neither a peak nor pictures
    for name, value in (
        (option("--target-psnr"), options.target_psnr),
        (option("--bytes-per-picture"), options.bytes_per_picture),
    ):
        if value is not None and not isinstance(yardstick, PictureYardstick):
            raise ParamError(
                f"{name} is for pictures; of a table ask for {option('--rmse')} or "
                f"{option('--budget')}"
            )
    if options.rmse is not None:
        # in per cent, as most people write it
        return Goal(f"{option('--rmse')} {100 * options.rmse:g}%", error=options.rmse)
    if options.target_psnr is not None:
        assert isinstance(yardstick, PictureYardstick)
        wording = f"{option('--target-psnr')} {options.target_psnr:g}"
        return Goal(wording, error=yardstick.of_psnr(options.target_psnr))
    return goal_in_bytes(options, pictures)


def goal_in_bytes(options: Asked, pictures: int) -> Goal | None:
    """The bytes that the options allow, as a goal, for which no error need be measured; None if
    they name none. pictures: how many there are, 0 of a table."""
    if options.bytes_per_picture is not None:
        wording = f"{option('--bytes-per-picture')} {options.bytes_per_picture:g}"
        # rounded first: 8.2 times 15 is a little less than 123 in binary
        total = math.floor(round(options.bytes_per_picture * pictures, 6))
        return Goal(wording, budget=total, pictures=pictures)
    if options.budget is not None:
        budget_text = str(options.budget)
        # as it was typed, such as 10kB
        if isinstance(options.budget, Bytes):
            budget_text = options.budget.written
        wording = f"{option('--budget')} {budget_text}"
        return Goal(wording, budget=options.budget)
    return None
