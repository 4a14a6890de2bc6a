"""Networks to ONNX: encoder, decoder and score graphs in user units, one file each."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator
from typing import Any

import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from aetool import graphs
from aetool.closed_form import capped
from aetool.columns.layout import prepare_table, restore_table
from aetool.columns.schema import Schema
from aetool.errors import PluginError
from aetool.graphs import Graph
from aetool.model import Spec

MOST_ROWS = 1 << 20  # of a batch that a graph is traced for


class _Encode(nn.Module):
    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net.encode(x)


class _Decode(_Encode):
    def forward(self, z: Tensor) -> Tensor:
        return self.net.decode(z)


class _Prior(_Encode):
    def forward(self, z: Tensor) -> Tensor:
        return self.net.prior_logits(z)


class _Score(nn.Module):
    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.parts(x), self.net.expected(x)


def write(net: Any, spec: Spec, schema: Schema | None) -> dict[str, bytes]:
    """encoder.onnx, decoder.onnx (unless the model has no code), prior.onnx (if the model has
    learned one of its codes) and score.onnx, as bytes."""
    wide = spec.shape or (spec.features,)
    x = torch.zeros(4, *wide)
    out = {"score.onnx": _score(net, spec, schema, x)}
    if net.code is None:
        return out
    with torch.no_grad():
        z = net.encode(x)
    g = Graph()
    features = _input(g, spec, schema)
    name = g.embed(_traced(_Encode(net), x), {"input": features}, keep_names=True)["output_0"]
    g.output("z", name, TensorProto.FLOAT, list(z.shape[1:]))
    out["encoder.onnx"] = g.build("encoder")
    g = Graph()
    code = g.input("z", TensorProto.FLOAT, list(z.shape[1:]))
    likely = g.embed(_traced(_Decode(net), z), {"input": code}, keep_names=True)["output_0"]
    _restore(g, spec, schema, "x_hat", likely)
    g.output("likely", likely, TensorProto.FLOAT, wide)
    out["decoder.onnx"] = g.build("decoder")
    if net.prior == "graph":
        g = Graph()
        code = g.input("z", TensorProto.FLOAT, list(z.shape[1:]))
        logits = g.embed(_traced(_Prior(net), z), {"input": code}, keep_names=True)["output_0"]
        g.output("logits", logits, TensorProto.FLOAT, [*z.shape[1:], net.code.size])
        out["prior.onnx"] = g.build("prior")
    return out


def _input(g: Graph, spec: Spec, schema: Schema | None) -> str:
    if schema is None:
        return graphs.prepare_image(g, g.input("pixels", TensorProto.UINT8, spec.shape or ()))
    return prepare_table(g, schema, g.input("x", TensorProto.DOUBLE, [schema.inputs]))


def _restore(g: Graph, spec: Spec, schema: Schema | None, name: str, expected: str) -> None:
    if schema is None:
        g.output(name, graphs.restore_image(g, expected), TensorProto.FLOAT, spec.shape or ())
        return
    value = restore_table(g, schema, expected)
    g.output(name, value, TensorProto.DOUBLE, [len(spec.columns)])


def _score(net: Any, spec: Spec, schema: Schema | None, x: Tensor) -> bytes:
    g = Graph()
    columns = len(spec.columns)
    found = g.embed(_traced(_Score(net), x), {"input": _input(g, spec, schema)}, keep_names=True)
    _keep(g, net)
    parts = found["output_0"]
    if net.likelihood.error == "bits":
        if schema is not None:
            extra = graphs.unexpected(g, schema, "x")
            nothing = g.op("Mul", g.take(parts, [columns]), g.const(0.0))
            parts = g.op("Add", parts, g.op("Concat", extra, nothing, axis=1))
        parts = capped(g, schema, g.op("Mul", parts, g.const(1 / math.log(2))))
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    _restore(g, spec, schema, "expected", found["output_1"])
    if net.prior == "features":
        g.output("likely", found["output_1"], TensorProto.FLOAT, list(x.shape[1:]))
    return g.build("score")


def _keep(g: Graph, net: Any) -> None:
    """Stores the weights that the exporter has folded into others, so that `aetool.nn.load` finds
    all of them."""
    held = {c.name.partition(".net.")[2] for c in g.constants}
    state = net.state_dict()
    there = {state[name].data_ptr() for name in held if name in state}
    for name, value in state.items():
        if value.data_ptr() not in there:
            kept = numpy_helper.from_array(value.detach().cpu().numpy(), f"kept.net.{name}")
            g.constants.append(kept)


def _traced(module: nn.Module, example: Tensor) -> onnx.ModelProto:
    """The module as an ONNX model with input "input" and outputs "output_<i>"."""
    names = ["output_0", "output_1"] if isinstance(module, _Score) else ["output_0"]
    try:
        return traced(module, {"input": example}, names)
    except Exception as error:  # the exporter raises what it likes
        raise PluginError(f"this network cannot be exported to ONNX: {error}") from error


def traced(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str]) -> onnx.ModelProto:
    """The module as an ONNX model with these inputs, by name, and outputs.

    inputs: an example of each, (rows, ...); the number of rows is left open. Raises what torch does
    where it cannot, and lets it say nothing by itself.
    """
    module.eval()
    buffer = io.BytesIO()
    with _silence(), torch.no_grad():
        try:
            captured = _captured(module, inputs, 1)
        except torch._dynamo.exc.UserError:
            # some operators are not sure of one row when they are traced, but are when they run
            captured = _captured(module, inputs, 2)
        program = torch.onnx.export(
            captured,
            dynamo=True,
            verbose=False,
            opset_version=graphs.OPSET,
            input_names=list(inputs),
            output_names=outputs,
        )
        assert program is not None
        program.save(buffer, external_data=False)  # type: ignore[arg-type]
    return onnx.ModelProto.FromString(buffer.getvalue())


def _captured(
    module: nn.Module, inputs: dict[str, Tensor], fewest_rows: int
) -> torch.export.ExportedProgram:
    """The module as torch traces it. Of torch's ways only the first is tried: where it fails, so do
    the others, with pages of reasons."""
    rows = torch.export.Dim("batch", min=fewest_rows, max=MOST_ROWS)
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            module,
            tuple(inputs.values()),
            dynamic_shapes=tuple({0: rows} for _ in inputs),
            strict=False,
        )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Neither warnings, nor what is logged or printed."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    unread = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(unread),
            contextlib.redirect_stderr(unread),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
