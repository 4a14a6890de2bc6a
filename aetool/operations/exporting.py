"""export: a model's graphs as files for other runtimes, and how much the results differ there from
the model's."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
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
from aetool.columns.date import Date
from aetool.csv.cells import GAP_WORDS, folded
from aetool.errors import DataError, ParamError
from aetool.files import atomic
from aetool.graphs import Graph, weighed_sum
from aetool.model import Records
from aetool.scoring.inputs import random_inputs
from aetool.spelling import option

SCORE = "score.onnx"
TOLERANCE = 1e-4
# the outputs of the score graph that people look for, in the order in which they stand there
FIRST = (
    "score",
    "anomaly",
    "map",
    "parts",
    "surprise",
)
# what outputs mean, by their names; those of other names are a model's own
MEANINGS = {
    "score": "how unusual each record is: the sum of its parts; larger is more anomalous",
    "anomaly": "whether score > threshold",
    "map": mapping.MEANING,
    "parts": "what each column adds to the score, in their order; the last is of no column",
    "surprise": "by column how far its value is from what the others of the record tell: by it "
    "columns are ranked that say why",
    "expected": "by column the value that the model holds likely, as values of x; detect, which "
    "asks the graph again with some cells put right, may tell another",
    "likely": "what is expected as features: numbers in standard deviations, gaps and levels as "
    "probabilities or their logits",
    "x_hat": "the record that a code stands for, as values of x",
    "z": "the code of each record",
}
# how cells are compared with the words that model.json lists
WORDS = (
    "blanks around a cell and around a level do not count. Small and capital letters are the same "
    "in gap_words, not_gaps and spellings, and differ in levels. First, a cell is missing that is "
    "one of gap_words, unless its column's not_gaps has it, too; then, one that is among the "
    "column's spellings, if it lists such, is the word to which they map it: a level, or 1 or 0 in "
    "a column of numbers; in a column with numbers, a regular expression, cells and levels that it "
    "matches as a whole are compared as numbers (12 is 12.0); any other word of a category is the "
    "column's other"
)
SINCE_1970 = "seconds since 1970-01-01T00:00 UTC"
SINCE_MIDNIGHT = "seconds since midnight"
OPENVINO_HINT = "with INFERENCE_PRECISION_HINT=f32"
Described = dict[str, Json]
Inputs = dict[str, Records]


def export(
    model: Bundle,
    folder: str | os.PathLike[str],
    force: bool = False,
    float32: bool = False,
) -> list[Path]:
    """Write the ONNX graphs of a model into a folder, which is made if it is not there, and
    model.json, which describes their inputs and outputs; returns the paths of the files. ParamError
    for "-", standard output; DataError if the folder cannot be made, and for a file that exists,
    unless force: then files that come before it are written already.

    float32: write graphs that use no float64, for runtimes that do not know it, BundleError where
    one cannot be rewritten so. Where the columns of the model need more digits than a float32 has,
    such a graph takes each record as two inputs, x and x_low, the nearest float32 and the rest.
    """
    if os.fspath(folder) == "-":
        raise ParamError(
            f"a folder cannot be written to standard output: name one with {option('-o')}"
        )
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{target}: cannot make the folder: {error.strerror or error}") from None
    # a second input, of low parts, is written only where its digits are needed
    low = float32 and takes_low_part(model)
    about = description(model, float32, low)
    files = {}
    for name in bundles.GRAPHS:
        if name in model.graphs:
            files[name] = _exported(model, name, float32, low, about)
    graphs = {name: data for name, data in files.items() if name in bundles.GRAPHS}
    described_model = {**about, "outputs": _outputs_described(graphs)}
    files["model.json"] = (json.dumps(described_model, indent=1) + "\n").encode()
    paths = []
    for name, data in files.items():
        with atomic(target / name, force) as file:
            file.write(data)
        paths.append(target / name)
    return paths


def description(
    model: Bundle,
    float32: bool = False,
    low: bool = False,
) -> Described:
    """The content of model.json: what the graphs that `export` writes take and give, the columns,
    the threshold and its calibration. By name: plugin, sha256, input, columns, gap_words, shape,
    latent, unit, score, threshold, threshold_input and calibration; of tables also words, how cells
    are compared with listed ones; of pictures also map; where `low` is true also low_parts; of a
    model that is given the rows before each also context, and of one with columns that records are
    judged by also condition: which these are, and how the graphs take them.

    float32: of graphs without float64. low: in float32, whether every input is given as two
    numbers, a value and what rounding has left of it.
    """
    kind = "float32" if float32 else "float64"
    about: Described = {
        "plugin": model.plugin,
        "sha256": model.sha256,
        "input": _input_in_words(model, float32),
        "columns": _columns_described(model, _odd_mark(float32)),
        "gap_words": _gap_words(model),
        "shape": model.shape,
        "latent": model.latent,
        "unit": model.unit,
        "score": "sum of parts over its second dimension, (batch,); anomaly: score > threshold",
        "threshold": model.threshold,
        "threshold_input": "a scalar beside the records; left out it is the threshold above",
        "calibration": model.calibration.to_json(),
    }
    if model.schema is not None:
        about["words"] = WORDS
    if model.shape is not None:
        about["map"] = mapping.MEANING
    if low:
        about["low_parts"] = (
            "what is float64 in the model is two here: x is the nearest float32, and x_low the "
            "difference of the two, as float32: x64 - float64(x). So are outputs"
        )
    return about | _context_and_condition(model, kind)


def _input_in_words(model: Bundle, float32: bool) -> str:
    """The input of a model's graphs in words: its name, shape and type, and what its values mean.
    float32: whether numbers are of that type, and not float64."""
    if model.schema is None:
        return "pixels: (batch, channels, height, width) uint8"
    kind = "float32" if float32 else "float64"
    return (
        f"x: (batch, columns) {kind}: numbers in user units, categories as index into levels (as "
        "many as there are levels or more: any other word; below 0, as the codes of pandas: "
        "missing; which word is which, see words), dates as epoch seconds, times of day as seconds "
        f"since midnight (see each column's unit), NaN = missing, "
        f"{_odd_mark(float32)!r} = not of the column's kind"
    )


def _odd_mark(float32: bool) -> float:
    """The number that exported graphs take for a cell that is not of its column's kind. float32:
    whether they are without float64, as the mark of models has no exact float32."""
    return pairs.ODD_SINGLE if float32 else ODD


def _outputs_described(graphs: Mapping[str, bytes]) -> Described:
    """The outputs of exported graphs as model.json lists them: by the graph's name, and the
    output's, a line that says its shape, type and meaning."""
    described: Described = {}
    for name, content in graphs.items():
        outputs: dict[str, str] = {}
        for output in onnx.ModelProto.FromString(content).graph.output:
            tensor = output.type.tensor_type
            sizes = [size.dim_param or str(size.dim_value) for size in tensor.shape.dim]
            kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            shape = ", ".join(sizes) if len(sizes) != 1 else f"{sizes[0]},"
            line = f"({shape}) {kind}"
            meaning = MEANINGS.get(output.name.removesuffix("_low"))
            # the second part of a number that is a pair of float32
            if output.name.endswith("_low"):
                meaning = f"what float32 has left of {output.name.removesuffix('_low')}"
            outputs[output.name] = f"{line}: {meaning}" if meaning else line
        described[name] = outputs
    return described


def _columns_described(model: Bundle, odd: float) -> list[Described]:
    """Describe the columns of a table's model as model.json lists them, a dictionary each; [] for
    pictures. Of each: "name", "kind", "levels" ([] of a column that is no category), "unit" where
    one is known (of dates what graphs take: seconds since 1970, of times of day since midnight),
    and how its words are read, such as "spellings" and "other". odd: the graphs' mark of a cell
    that is not of its column's kind, which stands for the model's own."""
    columns: list[Described] = []
    if model.schema is None:
        return columns
    for column in model.schema.modelled:
        entry: Described = {
            "name": column.name,
            "kind": column.kind,
            "levels": list(column.listed),
        }
        unit = column.facts().get("unit")
        if isinstance(column, Date):
            unit = SINCE_MIDNIGHT if column.notation.only_time else SINCE_1970
        if unit:
            entry["unit"] = unit
        entry |= column.reading()
        if entry.get("other") == ODD:
            entry["other"] = odd
        columns.append(entry)
    return columns


def _gap_words(model: Bundle) -> list[str]:
    """The words, in small letters and without blanks around them, by which cells of a table's model
    say that nothing is there, those that the user named among them, sorted; [] for pictures."""
    if model.schema is None:
        return []
    words = set(GAP_WORDS)
    for column in model.schema.modelled:
        words |= folded(column.gap_words)
    return sorted(words)


def _context_and_condition(model: Bundle, kind: str) -> Described:
    """The part of model.json that describes the inputs beside the record itself: "context", the
    rows before it, and "condition", the columns that it is judged by; each only if the model has
    such.

    kind: the type of numbers that the graphs take.
    """
    schema = model.schema
    beside: Described = {}
    if schema is None:
        return beside
    if schema.context:
        beside["context"] = {
            "rows": schema.context,
            "group": schema.group,
            "order": schema.order,
            "input": "the columns of the row, then those of the row before it, of the one before "
            "that: (batch, columns * (rows + 1)); NaN where there is none",
        }
    if schema.conditions:
        conditions = [schema.modelled[place].name for place in schema.conditions]
        of_decoder = "the decoder does not take them"
        if condition_names(model):
            of_decoder = f"the decoder takes them as condition, (batch, columns) {kind}, beside z"
        beside["condition"] = {
            "columns": conditions,
            "input": "columns that records are judged by: among those of x, and not scored; "
            + of_decoder,
        }
    return beside


def takes_low_part(model: Bundle) -> bool:
    """Whether the float32 graphs of a model need each input as two numbers, a float32 and the rest
    that rounding to it leaves; False for pictures.

    So it is for dates whose daily, weekly or yearly cycles the model sees; for numbers whose spread
    is under about a thousandth of their size, or with values far out; where a record's fold, or
    what a plugin writes, is computed in float64; and where numbers choose between scores, on either
    side of a cut, since the last bits of a value at a cut may then change the score by any amount.
    """
    if model.schema is None:
        return False
    columns = model.schema.modelled
    # a value that float32 cannot tell from its neighbours
    if any(_needs_fine_digits(column) for column in columns):
        return True
    score = onnx.ModelProto.FromString(model.graphs[SCORE])
    # a product in float64: that of a record's fold, see aetool.folds, or one of a plugin's graph
    if "MatMul" in pairs.wide_kinds(score):
        return True
    has_numbers = any(column.features.scale is not None for column in columns)
    return has_numbers and pairs.makes_choices(score, "parts")


def _needs_fine_digits(column: Modelled) -> bool:
    """Whether a column's values differ by so little, beside their size, that float32 cannot tell
    them apart: dates, if the model sees cycles of them, and numbers with a narrow spread or with
    values far out."""
    features = column.features
    if features.cycles or column.far_out is not None:
        return True
    if features.scale is None:
        return False
    # how far values usually lie apart, in user units
    spread = features.scale.unit
    if not features.scale.curved:
        spread = spread * features.scale.deviation
    low, high = column.span
    size = max(abs(low), abs(high))
    return pairs.spread_is_narrow(spread, size)


def _exported(
    model: Bundle,
    name: str,
    float32: bool,
    low: bool,
    about: Mapping[str, object],
) -> bytes:
    """The bytes of one ONNX graph as it is exported, with a description in its metadata.

    name: the graph's in the bundle, such as "score.onnx". float32: without float64; low: then with
    each input as two numbers. about: by name, the values to put into the metadata. BundleError
    where float32 is true and the graph cannot be rewritten so.
    """
    # bytes, as each step takes a graph and gives one
    content = _without_unread_constants(_with_missing_codes(model.graphs[name], model, name))
    if float32:
        # each float64 becomes a pair of float32
        content = pairs.narrowed(content, f"{model.name}: {name}", low)
    if name == SCORE:
        content = _with_score_and_flag(content, model, float32)
    graph = onnx.ModelProto.FromString(_without_unread_constants(content))
    metadata = {}
    for key, value in about.items():
        metadata[f"aetool.{key}"] = _as_text(value)
    helper.set_model_props(graph, metadata)
    return bytes(graph.SerializeToString(deterministic=True))


def _with_missing_codes(content: bytes, model: Bundle, name: str) -> bytes:
    """Let a graph take an index below 0 in a column of categories for a gap, as pandas codes gaps
    as -1; a model's own graphs take it for the first level. Returns the bytes of the new graph, or
    content itself if no input has columns of categories. content: the bytes of a graph of the
    model; name: of the graph, such as "score.onnx"."""
    inner = onnx.ModelProto.FromString(content)
    graph = Graph()
    graph.inputs.extend(inner.graph.input)
    names = {value.name: value.name for value in inner.graph.input}
    for input_name, is_category in _categories_of_inputs(model).items():
        if input_name not in names or not any(is_category):
            continue
        values = graph.exact_term(input_name)
        # the mark of a cell of no kind is below 0, too
        is_below = (values < 0.0) & (values > ODD)
        is_code = is_below & values.constant(is_category, np.bool_)
        names[input_name] = is_code.choose(np.nan, values).name
    # nothing stands between an input and the graph
    if not graph.nodes:
        return content
    results = graph.embed(inner, names)
    for value in inner.graph.output:
        tensor = value.type.tensor_type
        # the first size is the batch
        _, *sizes = [size.dim_value for size in tensor.shape.dim]
        graph.output(value.name, results[value.name], tensor.elem_type, sizes)
    return graph.build(name.removesuffix(".onnx"))


def _categories_of_inputs(model: Bundle) -> dict[str, list[bool]]:
    """Which columns of the inputs of a table's graphs, by the names of these, are of categories; {}
    for pictures."""
    schema = model.schema
    if schema is None:
        return {}
    of_row = [bool(column.listed) for column in schema.modelled]
    return {
        "x": of_row * (schema.context + 1),
        "condition": [of_row[place] for place in schema.conditions],
    }


def _as_text(value: object) -> str:
    """An entry of model.json as the metadata of a graph have it: a text as it is, else JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _with_score_and_flag(content: bytes, model: Bundle, float32: bool) -> bytes:
    """Add outputs to the model's score graph, and return its bytes. content: the bytes of that
    graph.

    The new outputs are "score", (batch,), the total score; "anomaly", (batch,) bool, whether that
    is above "threshold", a new input whose default is the model's; and of pictures "map", the heat
    map, (batch, height, width). Its own outputs stay. float32: whether score and threshold are of
    that type, and not float64; the map is float32 in any case.
    """
    inner = onnx.ModelProto.FromString(content)
    graph = Graph()
    # the records keep their names
    graph.inputs.extend(inner.graph.input)
    names_of_inputs = {value.name: value.name for value in inner.graph.input}
    results = graph.embed(inner, names_of_inputs)
    declared = {value.name: value for value in inner.graph.output}
    # the sum of many parts keeps its digits in float64, where runtimes have it
    kind = TensorProto.FLOAT if float32 else TensorProto.DOUBLE
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    # (batch, columns + 1): one part for each column, and the shared one
    _, columns = declared["parts"].type.tensor_type.shape.dim
    every_part = np.ones(columns.dim_value)
    parts = graph.cast(results["parts"], kind)
    total = weighed_sum(graph, parts, every_part, dtype)
    # (batch, 1) to (batch,)
    score = graph.op("Squeeze", total, graph.const([1], np.int64))
    # a constant that is an input, too, is its default; onnxruntime warns of such when it loads them
    threshold = np.array(model.threshold, dtype)
    graph.constants.append(numpy_helper.from_array(threshold, "threshold"))
    graph.inputs.append(helper.make_tensor_value_info("threshold", kind, []))
    graph.output("score", score, kind, [])
    is_anomaly = graph.op("Greater", score, "threshold")
    graph.output("anomaly", is_anomaly, TensorProto.BOOL, [])
    if model.shape is not None:
        pixels = mapping.pixels_of(model)
        amounts = mapping.write(graph, parts, pixels, dtype)
        graph.output("map", graph.cast(amounts), TensorProto.FLOAT, model.shape[1:])
    for name in _outputs_in_order(declared):
        tensor = declared[name].type.tensor_type
        # the first size is the batch
        _, *sizes = [size.dim_value for size in tensor.shape.dim]
        graph.output(name, results[name], tensor.elem_type, sizes)
    return graph.build("score")


def _outputs_in_order(names: Collection[str]) -> list[str]:
    """The names of outputs in the order in which they stand in an exported score graph: those in
    FIRST, that people look for, first and in its order, then all others in the order of names."""
    first = [name for name in FIRST if name in names]
    others = [name for name in names if name not in FIRST]
    return first + others


def _without_unread_constants(content: bytes) -> bytes:
    """A graph, as the bytes of ONNX, without constants that no node reads: bundles keep some for
    further training, and runtimes warn of them."""
    model = onnx.ModelProto.FromString(content)
    read: set[str] = set()
    for node in model.graph.node:
        read.update(node.input)
    # a constant may be an output itself
    read.update(output.name for output in model.graph.output)
    constants = [constant for constant in model.graph.initializer if constant.name in read]
    if len(constants) == len(model.graph.initializer):
        return content
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    return bytes(model.SerializeToString(deterministic=True))


def inputs_of(path: Path, records: Records) -> Inputs:
    """Records as the inputs of an exported graph: a dictionary of arrays by the names of its
    inputs; for a float32 graph of tables the nearest float32, and the rest as a second input if it
    takes one. path: the graph's file. records: as random_inputs has them. OSError if there is no
    such file."""
    graph = onnx.load(path).graph
    # an input with a default need not be given
    optional = {constant.name for constant in graph.initializer}
    required = [value for value in graph.input if value.name not in optional]
    first = required[0]
    if first.type.tensor_type.elem_type != TensorProto.FLOAT:
        return {first.name: records}
    # the high part, and the low one where the graph takes it
    parts = pairs.parts_of(records)
    names = [value.name for value in required]
    return dict(zip(names, parts, strict=False))


def difference(model: Bundle, folder: str | os.PathLike[str]) -> float:
    """Return the largest relative difference |a - b| / max(1, |b|) between scores of the exported
    graph and of the model itself, on 64 random records, the same at every call. folder: that
    `export` wrote the model to; OSError if the graph is not in it, and errors of onnxruntime if it
    cannot run.

    The exported graph is run one row at a time, without our batches.
    """
    import onnxruntime as ort

    path = Path(folder) / SCORE
    records = random_inputs(model)
    options = ort.SessionOptions()
    # errors alone: a warning of the runtime is no concern of the user
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(path, records)
    scores = []
    # alone, as by others: the model itself pads to its own batches
    for row in range(len(records)):
        record = {name: values[row : row + 1] for name, values in inputs.items()}
        (score,) = session.run(["score"], record)
        scores.append(score)
    return _largest_difference(model, records, np.concatenate(scores))


def openvino_differences(model: Bundle, folder: str | os.PathLike[str]) -> dict[str, float] | None:
    """Measure how much scores of the exported graph differ from the model's own when OpenVINO runs
    it, on 64 random records; None where OpenVINO is not installed. Returns the largest relative
    difference |a - b| / max(1, |b|) by the setting of OpenVINO's precision: "by default" and
    OPENVINO_HINT ("with INFERENCE_PRECISION_HINT=f32"). folder: that `export` wrote the model to;
    OSError if the graph is not in it, and errors of OpenVINO if it cannot run.

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
    # as it chooses by itself, then in float32, which must be asked for
    hints = {
        "by default": {},
        OPENVINO_HINT: {"INFERENCE_PRECISION_HINT": "f32"},
    }
    differences = {}
    for name, hint in hints.items():
        compiled = core.compile_model(str(path), "CPU", hint)
        results = compiled(inputs)
        differences[name] = _largest_difference(model, records, results["score"])
    return differences


def _largest_difference(model: Bundle, records: Records, other_scores: Records) -> float:
    """The largest relative difference of `other_scores`, (n,), another runtime's scores of the same
    records, from the model's own: |own - other| / max(1, |own|)."""
    session = model.session(SCORE, "cpu")
    parts = session(records)["parts"]
    own_scores = parts.sum(axis=1, dtype=np.float64)
    size = np.maximum(1, np.abs(own_scores))
    relative = np.abs(own_scores - other_scores) / size
    return float(relative.max())
