"""Runs graphs with ONNX Runtime: vetted bytes, explicit providers, one fixed batch size."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import math
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetool import system
from aetool.arguments import shown
from aetool.errors import BundleError, ParamError
from aetool.model import RECORD_AXES, Array
from aetool.spelling import option

if TYPE_CHECKING:
    import onnx

TABLE_BATCH, IMAGE_BATCH = 512, 64
MAX_ACTIVATIONS = 48 << 20  # bytes over all values of one run; larger batches are made smaller
# A GPU takes as long to start an operator as a CPU to run it for hundreds of rows: there a batch,
# and the bytes of its values, may be so many times as large.
ON_GPU = 16
CONVOLUTION = b"Conv"  # as it stands in the bytes of a graph
# whose results lie where their input does
IN_PLACE = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
# Products of matrices are computed by blocks of 12, 6 or 4 rows, by the processor.
ROWS_OF_BLOCK = 12
ROWS_TRIED = 256  # for which the sizes of all values are found out
MOST_FOR_ONE = 1 << 30  # where even the smallest batch takes more, the graph is refused
# Batches of a graph that is not kept: to simplify it first takes as long as to run ten of them.
FEW_BATCHES = 8
MAX_NODES = 20_000
# What our exporters write, and nothing that loops, branches, reads files or allocates by value.
_NAMES = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant
    Conv ConvTranspose CumSum Div Elu Equal Erf Exp Expand Flatten Floor Gather
    GatherElements Gelu Gemm Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Identity InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual
    Log LogSoftmax MatMul Max MaxPool Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal
    ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Round Selu Sigmoid Sign Sin Cos Slice Softmax Softplus
    Softsign Split Sqrt Squeeze Sub Sum Tanh TopK Transpose Trilu Unsqueeze Where
    ScatterElements
"""
OPERATORS = frozenset(_NAMES.split())


def walk(data: bytes, name: str) -> onnx.ModelProto:
    """Parse the bytes of an ONNX graph and check that it is harmless to run; returns the model.

    BundleError for bytes that are no graph, an operator that is not among OPERATORS or is of a
    foreign domain, more than MAX_NODES (20,000) nodes, subgraphs, functions, external, sparse or
    training data, and a constant of more numbers than the file has bytes. name: the graph's, in
    messages. Shapes are not looked at.
    """
    import onnx
    from google.protobuf.message import DecodeError

    def refuse(why: str) -> BundleError:
        """Return, not raise, the error for a graph that is refused, and why."""
        return BundleError(f"{name}: refused: {why}")

    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except DecodeError:
        raise refuse("not an ONNX graph") from None
    graph = model.graph
    if model.functions or model.training_info:
        raise refuse("it carries functions or training data")
    if any(o.domain not in ("", "ai.onnx") for o in model.opset_import):
        raise refuse("it uses operators of another domain")
    if graph.sparse_initializer or len(graph.node) > MAX_NODES:
        raise refuse("sparse tensors, or too many nodes")
    # constants stand in the graph itself, or are attributes of nodes
    tensors = list(graph.initializer)
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise refuse(f"operator {node.domain}{'.' if node.domain else ''}{node.op_type}")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.HasField("sparse_tensor"):
                raise refuse(f"{node.op_type} carries a subgraph or sparse tensor")
            if attribute.HasField("t"):
                tensors.append(attribute.t)
            tensors.extend(attribute.tensors)
    for tensor in tensors:
        if tensor.external_data or tensor.data_location != onnx.TensorProto.DEFAULT:
            raise refuse("external data")
        if math.prod(tensor.dims) > len(data) or any(d < 0 for d in tensor.dims):
            raise refuse("a constant larger than the file")
    return model


def vet(data: bytes, name: str, most: int, activations: int = MAX_ACTIVATIONS) -> int:
    """The batch size, in rows, to run a graph with: 1 .. most, the largest at which all values that
    the graph computes of rows take about `activations` bytes at most, estimated at 8 bytes a number
    and as if none were freed; 1 even if one row takes more. Of pictures, and where it is below
    `most`, a multiple of 12, if it is above that.

    data: the graph, as ONNX; name: its name in messages. BundleError unless the graph passes
    `walk`, the shape of every value follows from the batch size, and the values of the batch take
    at most MOST_FOR_ONE bytes (1 GiB).
    """
    model = walk(data, name)

    def refuse(why: str) -> BundleError:
        """Return, not raise, the error for a graph that is refused, and why."""
        return BundleError(f"{name}: refused: {why}")

    tried = min(most, ROWS_TRIED)
    total, growing = _bytes_of_values(model, tried, refuse)
    # of as many times the rows no value is more than as many times larger
    batch = min(max(1, tried * activations // max(growing, 1)), most)
    inputs = model.graph.input
    has_pictures = any(len(value.type.tensor_type.shape.dim) > RECORD_AXES for value in inputs)
    if has_pictures or batch < most:
        # rows that are left behind whole blocks would round their long sums otherwise
        batch -= batch % ROWS_OF_BLOCK if batch > ROWS_OF_BLOCK else 0
    if total > MOST_FOR_ONE:
        total, _ = _bytes_of_values(model, batch, refuse)
        if total > MOST_FOR_ONE:
            raise refuse(
                f"it would need {total >> 20:,} MiB for {batch} rows, and at most "
                f"{MOST_FOR_ONE >> 20:,} are allowed; fit again with {option('--drop')}, or "
                "with smaller pictures"
            )
    return batch


def _bytes_of_values(
    model: onnx.ModelProto,
    batch: int,
    refuse: Callable[[str], BundleError],
) -> tuple[int, int]:
    """Count the bytes that a graph's values take for a batch of `batch` rows, at 8 for each number
    and as if none were freed. Returns two counts: of all values that nodes compute; and of those
    alone that depend on the rows, results of IN_PLACE operators, such as Reshape, left out.

    refuse: makes the BundleError for the reason why a graph is not allowed; it is raised where an
    input has no shape, shapes do not fit together, or the size of a value is not known beforehand.
    """
    import onnx

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in fixed.graph.input:
        dims = value.type.tensor_type.shape.dim
        if not dims:
            raise refuse("an input without shape")
        dims[0].dim_value = batch
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    except Exception as error:  # the library raises what it likes on a malformed graph
        raise refuse(f"its shapes do not fit together ({str(error)[:100]})") from None
    # numbers of each value whose size is known
    counts = {}
    for value in [*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input]:
        if value.type.HasField("tensor_type"):
            dims = value.type.tensor_type.shape.dim
            sizes = [d.dim_value for d in dims]
            # a size that is not known reads as 0, as one of 0 does
            if 0 not in sizes or all(d.HasField("dim_value") for d in dims):
                counts[value.name] = math.prod(sizes)
    total = 0
    growing = 0
    of_rows = {value.name for value in inferred.graph.input}
    for node in inferred.graph.node:
        results = list(node.output)
        # what is computed of constants alone is computed once, when the graph is loaded
        is_of_rows = not of_rows.isdisjoint(node.input)
        if is_of_rows:
            of_rows.update(results)
        grows = is_of_rows and node.op_type not in IN_PLACE
        for result in results:
            if result and result not in counts:
                raise refuse(f"the size of {node.op_type}'s result is not known beforehand")
            size = 8 * counts.get(result, 0)
            total += size
            if grows:
                growing += size
    return total, growing


# One runtime lies where the other does, and what is installed last hides the other: an extra of
# ours could only add the one for GPUs. So both are taken away first.
GPU_COMMANDS = (
    "pip uninstall onnxruntime onnxruntime-gpu",
    "pip install 'onnxruntime-gpu[cuda,cudnn]'",
)


Provider = tuple[str, dict[str, str]] | str  # of ONNX Runtime: a name, and its options


def device_parts(device: str | None) -> tuple[str, int | None]:
    """A device's name taken apart: ("auto", "cpu" or "cuda"; the number of the GPU, from 0, None
    where none is said); None is auto. ParamError for anything but auto, cpu, cuda and cuda:<n>."""
    if device is None:
        return "auto", None
    if not isinstance(device, str):
        raise ParamError(
            f"{option('--device')} must be auto, cpu, cuda or cuda:<n>, as a text; "
            f"got {shown(device)}"
        )
    kind, colon, number = device.partition(":")
    if not colon and kind in ("auto", "cpu", "cuda"):
        return kind, None
    # str.isdigit knows digits of other scripts and superscripts, which are no numbers of devices
    if kind == "cuda" and number.isascii() and number.isdigit():
        return kind, int(number)
    raise ParamError(f"{option('--device')} {device}: must be auto, cpu, cuda or cuda:<n>")


def providers(device: str) -> tuple[list[Provider], str]:
    """ONNX Runtime's provider list for auto, cpu, cuda or cuda:<n>; and what was chosen, "cpu" or
    "cuda:<n>". Whether there is a GPU of this number is not looked at. auto is the GPU where this
    onnxruntime has CUDA, else the CPU. ParamError for any other device, and for cuda where it has
    none."""
    import onnxruntime as ort

    kind, number = device_parts(device)
    if kind == "cpu":
        return ["CPUExecutionProvider"], "cpu"
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        if kind == "cuda":
            raise ParamError(
                f"{option('--device')} cuda: this onnxruntime has no CUDA; use "
                f"{option('--device')} cpu, or put onnxruntime-gpu in its place: run "
                f"{' and then '.join(GPU_COMMANDS)}"
            )
        return ["CPUExecutionProvider"], "cpu"
    _load_cuda()
    # TF32 keeps 10 bits of a factor, and scores would not be those of a CPU
    options = {"device_id": str(number or 0), "use_tf32": "0"}
    return [("CUDAExecutionProvider", options)], f"cuda:{number or 0}"


@functools.cache
def _load_cuda() -> None:
    """Load CUDA's libraries, once a process, where they were installed as Python packages: no
    loader of a system looks there. Where they lie elsewhere, or are not there, nothing changes."""
    import onnxruntime as ort

    load = getattr(ort, "preload_dlls", None)  # older ones lack it
    if load is None:
        return
    # what it cannot load it prints, into what may be the rows of a result
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        load()


def _provider_starts(chosen: list[Provider]) -> bool:
    """Whether ONNX Runtime can use the first of these providers, found by loading a graph of one
    operator; chosen: CUDA first, with its options."""
    import onnxruntime as ort
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    try:
        session = ort.InferenceSession(model.SerializeToString(), providers=chosen)
    except Exception:  # ONNX Runtime has no exception class of its own
        return False
    return chosen[0][0] in session.get_providers()


# ONNX Runtime's own sessions of this process, each with a pool of threads
_running: weakref.WeakSet[object] = weakref.WeakSet()


def _keep_sessions_of_parent() -> None:
    """In a forked child: never free the sessions of the parent. Their threads have not come along,
    and to free a session waits until its threads end."""
    for session in _running:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
    _running.clear()


system.after_fork_in_child(_keep_sessions_of_parent)


class Session:
    """One graph, ready to run in batches of one fixed size, so that no result depends on its
    batch-mates. In a process that was forked from the one it was made in it starts anew.

    data: the graph, as ONNX; name: for messages; device: auto, cpu, cuda or cuda:<n>; most: the
    largest batch on the CPU; rows: on how many it will be run in all, None where that is not known.
    Its attributes say the batch, the device chosen, and the names of inputs and outputs.
    BundleError for a graph that is refused or cannot run; ParamError where there is no such device.
    """

    def __init__(
        self, data: bytes, name: str, device: str | None, most: int, rows: int | None = None
    ) -> None:
        """Check and load the graph. data: an ONNX file's bytes; name: for messages; device: auto,
        cpu, cuda or cuda:<n>; most: the largest batch on the CPU, in rows; rows: on how many it
        will be run in all, None where that is not known. BundleError for a graph that is refused or
        cannot run; ParamError where there is no such device."""
        self.batch = vet(data, name, most)
        self.name = name
        self._graph = data
        # None is the default in Python
        device = "auto" if device is None else device
        self._asked = device
        self._is_for_few = rows is not None and rows <= FEW_BATCHES * self.batch
        self._load_graph(device)
        if self.device != "cpu":
            self.batch = vet(data, name, most * ON_GPU, MAX_ACTIVATIONS * ON_GPU)
        self.inputs = [i.name for i in self._session.get_inputs()]
        self.outputs = [o.name for o in self._session.get_outputs()]

    def _load_graph(self, device: str) -> None:
        """Load the graph for a device, and set `device` to the one that is used: for auto the CPU
        where the GPU cannot be. BundleError if it cannot run; ParamError if there is no such
        device."""
        import onnxruntime as ort

        chosen, self.device = providers(device)
        options = ort.SessionOptions()
        # errors alone: warnings would stand among what a command prints
        options.log_severity_level = 3
        # threads that wait would take processor time from others
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if CONVOLUTION not in self._graph:
            # fusions gain nothing but for convolutions, and a graph of 2,000 nodes takes as long to
            # fuse as thousands of records to score
            level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
            if self._is_for_few and self.device == "cpu":
                # to start, a graph then takes half the time
                level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.graph_optimization_level = level
        # all of a graph runs on the GPU, or none of it
        if self.device != "cpu":
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            self._session = ort.InferenceSession(self._graph, options, providers=chosen)
        except Exception as error:  # ONNX Runtime has no exception class of its own
            if device == "auto" and self.device != "cpu":
                self._load_graph("cpu")
                return
            if self.device != "cpu" and not _provider_starts(chosen):
                raise self._no_cuda_error(device) from None
            raise BundleError(f"{self.name}: ONNX Runtime cannot run it: {error}") from None
        self._process = os.getpid()
        _running.add(self._session)
        if self.device != "cpu" and "CUDAExecutionProvider" not in self._session.get_providers():
            if device != "auto":
                raise self._no_cuda_error(device)
            self.device = "cpu"

    def _no_cuda_error(self, device: str) -> ParamError:
        """Return, not raise, the error for a device of CUDA that cannot be used."""
        return ParamError(
            f"{option('--device')} {device}: CUDA could not be started, or there is no such "
            f"device: see what `aetool doctor` says, or use {option('--device')} cpu"
        )

    def __call__(self, *rows: Array) -> Mapping[str, Array]:
        """Run the graph: all outputs by name, (rows, ...) each. rows: an array (rows, ...) for each
        of the graph's inputs, in their order and all of one length, which may be 0. BundleError for
        another number of arrays."""
        if len(rows) != len(self.inputs):
            raise BundleError(
                f"{self.name}: takes {' and '.join(self.inputs)}, and not {len(rows)} "
                f"input{'s' if len(rows) > 1 else ''}"
            )
        if self._process != os.getpid():
            self._load_graph(self._asked)
        outputs = list(self._batches(rows))
        return {k: np.concatenate([f[k] for f in outputs]) for k in self.outputs}

    def _batches(self, rows: Sequence[Array]) -> Iterator[dict[str, Array]]:
        """Yield the outputs by name of one batch after the other, an array (rows, ...) for each
        input; of no rows one batch of none."""
        for first in range(0, max(len(rows[0]), 1), self.batch):
            parts = [x[first : first + self.batch] for x in rows]
            count = len(parts[0])
            inputs = dict(zip(self.inputs, map(self._filled_up, parts), strict=True))
            values = self._session.run(self.outputs, inputs)
            yield {k: v[:count] for k, v in zip(self.outputs, values, strict=True)}

    def _filled_up(self, part: Array) -> Array:
        """Fill rows, at most a batch of them, up with zeros to a full batch, the one size with
        which the graph is run."""
        missing = self.batch - len(part)
        if missing:
            part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)])
        return np.ascontiguousarray(part)
