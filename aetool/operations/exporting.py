"""export: a model's graphs as files for other runtimes, and how much the results differ there from
the model's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aetool import bundle as bundles
from aetool import mapping, pairs
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.decoding import condition_names
from aetool.columns.column import ODD, Modelled
from aetool.errors import DataError
from aetool.files import atomic
from aetool.graphs import Graph, weighed_sum
from aetool.model import Records
from aetool.scoring.inputs import random_inputs

SCORE = "score.onnx"
TOLERANCE = 1e-4
FIRST = (
    "score",
    "anomaly",
    "map",
    "parts",
    "surprise",
)  # outputs of the score graph; then the others
OPENVINO_HINT = "with INFERENCE_PRECISION_HINT=f32"
Described = dict[str, Json]
Inputs = dict[str, Records]


def export(
    model: Bundle,
    folder: str | os.PathLike[str],
    force: bool = False,
    float32: bool = False,
) -> list[Path]:
    """Write the ONNX graphs of a model into a folder, and model.json, which describes their inputs
    and outputs; returns the files.

    float32: write graphs that use no float64, for runtimes that do not know it.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target}: cannot make the folder: {error.strerror or error}") from None
    # a second input is a burden: only where the digits are needed
    low = float32 and takes_low_part(model)
    about = description(model, float32, low)
    files = {}
    for name in bundles.GRAPHS:
        if name in model.graphs:
            files[name] = _written(model, name, float32, low, about)
    files["model.json"] = (json.dumps(about, indent=1) + "\n").encode()
    written = []
    for name, data in files.items():
        with atomic(target / name, force) as file:
            file.write(data)
        written.append(target / name)
    return written


def description(model: Bundle, float32: bool = False, low: bool = False) -> Described:
    """The files that `export` writes: the content of model.json, and each ONNX graph by its file
    name.

    low: in float32, whether every input is given as two numbers, a value and what rounding has left
    of it.
    """
    schema = model.schema
    columns = []
    for column in schema.modelled if schema else ():
        entry: Described = {"name": column.name, "kind": column.kind}
        entry["levels"] = list(column.listed)
        unit = column.facts().get("unit")
        columns.append({**entry, **({"unit": unit} if unit else {})})
    # the mark of an odd cell has no exact float32
    kind, odd = ("float32", pairs.ODD_SINGLE) if float32 else ("float64", ODD)
    taken = "pixels: (batch, channels, height, width) uint8"
    if schema is not None:
        taken = (
            f"x: (batch, columns) {kind}: numbers in user units, categories as index into levels, "
            f"dates as epoch seconds, NaN = missing, {odd!r} = not of the column's kind"
        )
    about: Described = {
        "plugin": model.plugin,
        "sha256": model.sha256,
        "input": taken,
        "columns": columns,
        "shape": model.shape,
        "latent": model.latent,
        "unit": model.unit,
        "score": "sum of parts over its second dimension, (batch,); anomaly: score > threshold",
        "threshold": model.threshold,
        "threshold_input": "a scalar beside the records; left out it is the threshold above",
        "calibration": model.calibration.to_json(),
    }
    if model.shape is not None:
        about["map"] = mapping.MEANING
    if low:
        about["low_parts"] = (
            "what is float64 in the model is two here: x is the nearest float32, and x_low the "
            "difference of the two, as float32: x64 - float64(x). So are outputs"
        )
    return about | _beside(model, kind)


def _beside(model: Bundle, kind: str) -> Described:
    """The part of model.json that describes the inputs beside the record itself: the rows before
    it, and the columns that it is judged by. Empty if the model has neither.

    kind: the type of numbers that the graphs take.
    """
    schema = model.schema
    beside: Described = {}
    if schema is not None and schema.context:
        beside["context"] = {
            "rows": schema.context,
            "group": schema.group,
            "order": schema.order,
            "input": "the columns of the row, then those of the row before it, of the one before "
            "that: (batch, columns * (rows + 1)); NaN where there is none",
        }
    if schema is not None and schema.conditions:
        conditions = [schema.modelled[place].name for place in schema.conditions]
        beside["condition"] = {
            "columns": conditions,
            "input": "columns that records are judged by: among those of x, and not scored; "
            + (
                f"the decoder takes them as condition, (batch, columns) {kind}, beside z"
                if condition_names(model)
                else "the decoder does not take them"
            ),
        }
    return beside


def takes_low_part(model: Bundle) -> bool:
    """Whether the float32 graphs of a model need each input as two numbers, a float32 and the rest
    that rounding to it leaves.

    So it is for dates; for numbers whose spread is under a thousandth of their size; where a
    record's fold is chosen by all its digits; and where numbers choose between scores, on either
    side of a cut, since the last bits of a value at a cut may then change the score by any amount.
    """
    if model.schema is None:
        return False
    columns = model.schema.modelled
    # a value that float32 cannot tell from its neighbours
    if any(_is_fine(column) for column in columns):
        return True
    score = onnx.ModelProto.FromString(model.graphs[SCORE])
    # a product in float64: that of a record's fold, see aetool.folds, or one of a plugin's graph
    if "MatMul" in pairs.wide_kinds(score):
        return True
    has_numbers = any(column.features.scale is not None for column in columns)
    return has_numbers and pairs.makes_choices(score, "parts")


def _is_fine(column: Modelled) -> bool:
    """Whether a column's values differ by so little, beside their size, that float32 cannot tell
    them apart."""
    laid = column.features
    if laid.cycles or column.far_out is not None:
        return True
    if laid.scale is None:
        return False
    low, high = column.span
    # how far values usually lie apart, in user units
    spread = laid.scale.unit * (1.0 if laid.scale.curved else laid.scale.deviation)
    return pairs.spread_is_narrow(spread, max(abs(low), abs(high)))


def _written(
    model: Bundle,
    name: str,
    float32: bool,
    low: bool,
    about: Mapping[str, object],
) -> bytes:
    """The bytes of one ONNX graph as it is exported, with a description in its metadata.

    low: as in `description`. about: the texts to put into the metadata.
    """
    content = _plain(model.graphs[name])
    if float32:
        content = pairs.narrowed(content, f"{model.name}: {name}", low)
    if name == SCORE:
        content = _judged(content, model, float32)
    graph = onnx.ModelProto.FromString(_plain(content))
    helper.set_model_props(graph, {f"aetool.{key}": _said(value) for key, value in about.items()})
    return bytes(graph.SerializeToString(deterministic=True))


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _judged(content: bytes, model: Bundle, float32: bool) -> bytes:
    """The score graph, as bytes, with two outputs added: the total score, which comes first, and
    whether it is above a threshold, an input with a default. Of pictures it also gives the heat
    map."""
    inner = onnx.ModelProto.FromString(content)
    g = Graph()
    # the records keep their names
    g.inputs.extend(inner.graph.input)
    results = g.embed(inner, {value.name: value.name for value in inner.graph.input})
    declared = {value.name: value for value in inner.graph.output}
    kind = TensorProto.FLOAT if float32 else TensorProto.DOUBLE
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    # one part for each column, and the shared one
    width = declared["parts"].type.tensor_type.shape.dim[1].dim_value
    parts = g.cast(results["parts"], kind)
    total = weighed_sum(g, parts, np.ones(width), dtype)
    # (batch, 1) to (batch,)
    score = g.op("Squeeze", total, g.const([1], np.int64))
    # a constant that is an input, too, is its default
    g.constants.append(numpy_helper.from_array(np.array(model.threshold, dtype), "threshold"))
    g.inputs.append(helper.make_tensor_value_info("threshold", kind, []))
    g.output("score", score, kind, [])
    g.output("anomaly", g.op("Greater", score, "threshold"), TensorProto.BOOL, [])
    if model.shape is not None:
        amounts = mapping.write(g, parts, mapping.pixels_of(model), dtype)
        g.output("map", g.cast(amounts), TensorProto.FLOAT, model.shape[1:])
    # outputs that people look for come first
    rest = [name for name in declared if name not in FIRST]
    for name in [*(name for name in FIRST if name in declared), *rest]:
        shape = declared[name].type.tensor_type
        sizes = [size.dim_value for size in shape.shape.dim][1:]
        g.output(name, results[name], shape.elem_type, sizes)
    return g.build("score")


def _plain(content: bytes) -> bytes:
    """A copy of a graph, as bytes, without constants that no node reads: bundles keep some for
    further training, and runtimes warn of them."""
    model = onnx.ModelProto.FromString(content)
    read = {name for node in model.graph.node for name in node.input}
    # a constant may be an output itself
    read |= {output.name for output in model.graph.output}
    constants = [c for c in model.graph.initializer if c.name in read]
    if len(constants) == len(model.graph.initializer):
        return content
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    return bytes(model.SerializeToString(deterministic=True))


def inputs_of(path: Path, records: Records) -> Inputs:
    """Records as the inputs of an exported graph: a dictionary of arrays by the names of its
    inputs. path: the graph's file."""
    graph = onnx.load(path).graph
    # an input with a default need not be given
    optional = {constant.name for constant in graph.initializer}
    taken = [value for value in graph.input if value.name not in optional]
    if taken[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        return {taken[0].name: records}
    values = pairs.parts_of(records)
    # the low part, where the graph takes one
    return {value.name: part for value, part in zip(taken, values, strict=False)}


def difference(model: Bundle, folder: str | os.PathLike[str]) -> float:
    """The largest relative difference |a - b| / max(1, |b|) between scores of the exported graph
    and of the model itself, on rows drawn from its schema.

    The exported graph is run one row at a time, without our batches.
    """
    import onnxruntime as ort

    path = Path(folder) / SCORE
    records = random_inputs(model)
    options = ort.SessionOptions()
    # errors alone: a warning of the runtime is no concern of the user
    options.log_severity_level = 3
    plain = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(path, records)
    scores = []
    # alone, as by others: the model itself pads to its own batches
    for row in range(len(records)):
        record = {name: values[row : row + 1] for name, values in inputs.items()}
        scores.append(plain.run(["score"], record)[0])
    return _largest(model, records, np.concatenate(scores))


def openvino_differences(model: Bundle, folder: str | os.PathLike[str]) -> dict[str, float] | None:
    """The same difference where OpenVINO runs the exported graph, by the precision it computes in;
    None where OpenVINO is not installed.

    Its default on many processors is bfloat16, which is measured, and then float32, which must be
    asked for. It computes float64 in float32, so only a graph without float64 is exact there.
    """
    try:
        import openvino
    except ImportError:
        return None
    path = Path(folder) / SCORE
    records = random_inputs(model)
    inputs = inputs_of(path, records)
    core = openvino.Core()
    differences = {}
    for name, hint in (("by default", {}), (OPENVINO_HINT, {"INFERENCE_PRECISION_HINT": "f32"})):
        compiled = core.compile_model(str(path), "CPU", hint)
        differences[name] = _largest(model, records, compiled(inputs)["score"])
    return differences


def _largest(model: Bundle, records: Records, theirs: Records) -> float:
    session = model.session(SCORE, "cpu")
    ours = session(records)["parts"].sum(axis=1, dtype=np.float64)
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max())
