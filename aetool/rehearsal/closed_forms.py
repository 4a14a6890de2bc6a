"""The dry run of a closed form: fitted to a few rows, and its graphs run beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from aetool import runtime
from aetool.closed_form import ClosedForm, Features, Solution
from aetool.errors import AetoolError, BundleError, DataError
from aetool.model import Float, Spec
from aetool.rehearsal import examples
from aetool.rehearsal.faults import Author, first_line, guarded, kind_of

ROWS, BATCH = 24, 16  # that it is fitted to, in batches of so many
SEED = 5
CALLS = {"__init__": 2, "fit": 1}
SOLUTION = ("fair", "report", "drawn", "encode", "decode", "write")
DRAWN = ("codes", "normal", "features")


class _Twice:
    """Batches that can be iterated again and again, and that a fit must leave as they are."""

    def __init__(self, rows: Features) -> None:
        self.batches = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]

    def __iter__(self) -> Iterator[Features]:
        return iter(self.batches)


def rehearse(author: Author, params: object, spec: Spec) -> None:
    """PluginError unless the closed form can be fitted, and says what a Solution must say."""
    author.check_names()
    author.check_calls(CALLS)
    if not author.wrote("fit"):
        raise author.fault("fit", "is not there: a ClosedForm must have fit(batches)")
    rows = examples.records(spec, ROWS, SEED).reshape(ROWS, -1)
    batches = _Twice(rows.copy())

    def fit() -> Solution:
        form: ClosedForm = author.author_class(spec, params)
        return form.fit(batches)

    try:
        first, second = (guarded(author, "fit", fit) for _ in range(2))
    except AetoolError as error:
        if isinstance(error, DataError):
            return  # it does not take data of this layout, and says so itself
        raise
    if not np.array_equal(np.concatenate(batches.batches), rows):
        raise author.fault("fit", "changed the batches in place; work on a copy: x = batch.copy()")
    missing = [name for name in SOLUTION if not hasattr(first, name)]
    if missing:
        raise author.fault(
            "fit", f"returned {kind_of(first)}, which has no {', '.join(missing)}; wanted is a "
            "Solution, such as Maps, Hidden or Prototypes",
        )  # fmt: skip
    if first.drawn not in DRAWN:
        raise author.fault("fit", f"returned drawn={first.drawn!r}; it must be one of {DRAWN}")
    _check_code(author, spec, first, rows)
    _check_graphs(author, params, spec, first, second)


def _check_code(author: Author, spec: Spec, solution: Solution, rows: Features) -> None:
    scored = spec.owners() >= 0
    code = guarded(author, "fit", lambda: solution.encode(rows.astype(np.float64), scored))
    if np.ndim(code) != 2 or len(code) != ROWS:
        raise author.fault(
            "fit", f"returned a solution whose encode gives {_shape(code)}; wanted is "
            f"(rows, code): ({ROWS}, ...)",
        )  # fmt: skip
    if code.shape[1]:
        _check_finite(author, "encode", code)
        if bool((code == code[:1]).all()):
            raise author.fault(
                "fit", f"returned a solution whose encode gives one code for {ROWS} different "
                "rows; a code must tell rows apart",
            )  # fmt: skip
    likely = guarded(author, "fit", lambda: solution.decode(code))
    if np.shape(likely) != (ROWS, spec.features):
        raise author.fault(
            "fit", f"returned a solution whose decode gives {_shape(likely)}; wanted is "
            f"(rows, features): ({ROWS}, {spec.features})",
        )  # fmt: skip
    _check_finite(author, "decode", likely)


def _check_finite(author: Author, member: str, values: Float) -> None:
    if not np.isfinite(values).all():
        raise author.fault(
            "fit", f"returned a solution whose {member} gives values that are not finite (nan or "
            "inf); look for a division by 0, or the log of it",
        )  # fmt: skip


def _check_graphs(
    author: Author, params: object, spec: Spec, first: Solution, second: Solution
) -> None:
    """The graphs are written without a schema, which is to say for pictures, where that can be."""
    error = getattr(params, "error", "bits")
    if spec.shape is None:
        return  # how tables are prepared is told by a schema: the fit itself finds the rest
    graphs = guarded(author, "fit", lambda: first.write(spec, None, error))
    if graphs != guarded(author, "fit", lambda: second.write(spec, None, error)):
        raise author.fault(
            "fit", "returned two solutions for the same rows; draw from numpy.random.default_rng(0)"
        )
    pixels = _pixels(spec)
    for name, data in graphs.items():
        if name == "decoder.onnx":
            continue
        try:
            outputs = runtime.Session(data, name, "cpu", ROWS)(pixels)
        except BundleError as reason:
            raise author.fault(
                "fit", f"gives a graph that is refused: {first_line(reason)}"
            ) from None
        for output, values in outputs.items():
            _check_finite(author, f"{name} ({output})", values)


def _pixels(spec: Spec) -> npt.NDArray[np.uint8]:
    assert spec.shape is not None
    return np.random.default_rng(SEED).integers(0, 256, (ROWS, *spec.shape), dtype=np.uint8)


def _shape(value: Any) -> str:
    return str(np.shape(value))
