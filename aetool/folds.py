"""Cross-fitting: a record is scored by the one of several models that was fitted without records
like it.

A model remembers the rows that it was fitted on, and finds nothing odd about them: an outlier among
them has bent the model towards itself. So the score of a closed form is several models, each fitted
without one fold of the rows. A record's fold is told by its own content, in the score graph as in
the fit. Whether it was fitted or not, it is scored by the model that has not seen it, nor any row
equal to it; a file that is fitted and then scored is judged as fairly as a new one, and nothing of
the rows is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from aetool.closed_form.writing import open_graph
from aetool.columns.schema import Schema
from aetool.graphs import Graph, weighed_sum
from aetool.graphs.merging import Choice, merge
from aetool.model import Float, Int, Spec

GOLDEN = 0.6180339887498949  # multiples of it spread most evenly over 0 .. 1 (Knuth, TAOCP 6.4)
STIR = 1009.0  # stirs rows that differ by a thousandth of a deviation into different folds
FREQUENT = 0.1  # part of the rows: equal rows of more than this are usual
REPETITIVE = 0.5  # part of the rows that repeat others, above which to repeat is usual
STRETCHES = 3  # of rows, in each fold of stretches
SHORT = 3  # rows of a stretch, where rows are sorted by what they hold


def content_folds(
    features: npt.NDArray[np.float32],
    spec: Spec,
    folds: int,
) -> Int:
    """Assign each row to one of `folds` groups by its content: (rows,), 0 .. folds - 1.

    features: (rows, features) float32. Equal rows are in the same fold. The rows before a row,
    which some models use, have no effect; folds: 1 or more. `_write_fold` computes the same in a
    graph.
    """
    flat = features.reshape(len(features), -1).astype(np.float64)
    # what is behind the decimal point of a weighed sum is as good as drawn at random, 0 .. 1
    hashes = flat @ _weights_of_features(spec)
    fraction = hashes - np.floor(hashes)
    fold = np.floor(fraction * folds).astype(np.int64)
    # a sum ever so little below a whole number has a fraction that rounding makes 1: it counts as
    # that number, whose fraction is 0. The graph, too, takes such records to the first fold
    fold[fold == folds] = 0
    return fold


def stretch_folds(rows: int, folds: int, stretches: int = STRETCHES) -> Int:
    """Assign rows to folds in a few stretches of neighbouring rows each: (rows,), the fold of each
    row, 0 .. folds - 1. stretches: how many for each fold; folds take turns. Of fewer rows than
    folds * stretches some folds may have no row.

    A model is then judged by rows of another time than those it was fitted on, and not by rows
    whose neighbours it knows: so the scores show how far ordinary records drift (blocked
    cross-validation: Bergmeir & Benitez 2012). There are several stretches for each fold, so that
    none leaves out a whole season.
    """
    all_stretches = folds * stretches
    stretch = np.arange(rows) * all_stretches // rows
    # folds take turns
    return np.asarray(stretch % folds)


def short_stretch_folds(rows: int, folds: int) -> Int:
    """Assign rows to folds in stretches of SHORT (3) neighbouring rows: (rows,), the fold of each
    row, 0 .. folds - 1. Of few rows some folds may have none.

    For rows that are sorted by what they hold: a model is then judged by rows between those that it
    was fitted on. Stretches do not take turns, or a fold would hold the same place of each group,
    where the rows come in groups of equal size.
    """
    stretch = np.arange(rows) // SHORT
    fraction = stretch * GOLDEN % 1.0
    fold = np.floor(fraction * folds)
    return np.asarray(fold, dtype=np.int64)


def staying(
    features: npt.NDArray[np.float32],
    kept: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Choose the rows that every model of the score is fitted on, even the one that leaves out
    their fold: (rows,) bool.

    features: (rows, features); kept: (rows,) bool, the rows to fit, at least one; any other row is
    False. Rows that equal each other are left out together, for a few that lie apart would vouch
    for one another; unless they are more than a tenth of the kept rows, when to be like them is
    usual. Where more than half of the kept rows repeat others, as where columns hold few values, to
    repeat is usual, and of equal rows all but the first stay: each is judged by the others.
    """
    rows = np.flatnonzero(kept)
    flat = features.reshape(len(features), -1)
    first, equals = _equal_rows(flat[rows])
    is_repeated = equals > 1
    if is_repeated.mean() > REPETITIVE:
        # the first of equal rows is judged by the others
        stays = np.ones(len(rows), dtype=bool)
        stays[first] = False
    else:
        frequent = FREQUENT * len(rows)
        stays = equals > frequent
    is_staying = np.zeros(len(features), dtype=bool)
    is_staying[rows] = stays
    return is_staying


def _equal_rows(flat: npt.NDArray[np.float32]) -> tuple[Int, Int]:
    """Find rows that are equal, byte by byte: (the index of the first row of each kind, (kinds,);
    for each row how many are equal to it, itself included, (rows,)). flat: (rows, features)."""
    contiguous = np.ascontiguousarray(flat)
    row_bytes = contiguous.dtype.itemsize * contiguous.shape[1]
    # a row as one key of bytes: sorted at once, and not column by column
    key_type = np.dtype((np.void, row_bytes))
    keys = contiguous.view(key_type).ravel()
    _, first, kind, count = np.unique(
        keys,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    return first, count[kind.ravel()]


def fair(scores: Sequence[bytes], spec: Spec, schema: Schema | None) -> bytes:
    """Join the score graphs of all folds into one that scores each record by the graph that was
    fitted without that record's fold. In which fold a record is follows from its values, as a
    weighed sum of its features that is computed in the graph. scores: the bytes of the graph of
    each fold, fold 0 first, at least one; returns those of the joined one, which has the outputs
    that all of them have. schema: None for pictures."""
    g = Graph()
    x, features = open_graph(g, spec, schema)
    fold = _write_fold(g, features, spec, len(scores))
    choice = Choice(g, fold, len(scores))
    models = [onnx.ModelProto.FromString(score) for score in scores]
    chosen = merge(models, [x], choice)
    if chosen is None:
        chosen = _computed_by_all(models, x, choice)
    for declared in models[0].graph.output:
        name = declared.name
        # a fold's model may lack what not every model tells, such as how surprising columns are
        if name not in chosen:
            continue
        kind = declared.type.tensor_type
        # the first size is the batch
        _, *sizes = [size.dim_value for size in kind.shape.dim]
        g.output(name, chosen[name], kind.elem_type, sizes)
    return g.build("score")


def _computed_by_all(
    models: Sequence[onnx.ModelProto],
    records: str,
    choice: Choice,
) -> dict[str, str]:
    """Write the graphs of all folds, `models`, into the graph of `choice`, and of each output nodes
    that take for each record what its own fold's graph gives. Returns what the outputs are called
    in that graph, by their names in the models; one that some model lacks is left out. records: the
    name of the records there; choice: says which model is a record's own."""
    g = choice.g
    computed = [g.embed(model, {model.graph.input[0].name: records}) for model in models]
    chosen = {}
    for declared in models[0].graph.output:
        name = declared.name
        if any(name not in outputs for outputs in computed):
            continue
        axes = len(declared.type.tensor_type.shape.dim)
        values = [outputs[name] for outputs in computed]
        chosen[name] = choice.value(values, axes)
    return chosen


def _write_fold(
    g: Graph,
    features: str,
    spec: Spec,
    folds: int,
) -> str:
    """Add to graph g the fold of each record by its content, as `content_folds` computes it, (B, 1)
    float64, 0 .. folds - 1, or `folds` where rounding makes a fraction 1, which stands for fold 0;
    returns the name of the result. features: the name of the features, (B, features)."""
    # in float64, as there: in float32 a record could fall into another fold than in the fit
    flat = g.cast(features, TensorProto.DOUBLE)
    hashes = weighed_sum(g, flat, _weights_of_features(spec), np.float64)
    floor = g.op("Floor", hashes)
    fraction = g.op("Sub", hashes, floor)
    count = g.exact(float(folds))
    scaled = g.op("Mul", fraction, count)
    return g.op("Floor", scaled)


def _weights_of_features(spec: Spec) -> Float:
    """How much each feature counts in the assignment of a row to a fold, (features,); 0 for
    features without effect."""
    number = np.arange(1, spec.features + 1)
    spread = (number * GOLDEN) % 1
    weight = STIR * (1 + spread)
    # the rows before a row are the last features
    first_before = spec.features - spec.given
    weight[first_before:] = 0.0
    return np.asarray(weight, dtype=np.float64)
