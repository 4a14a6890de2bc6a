"""Networks to ONNX: encoder, decoder and score graphs in user units, one file each."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence

import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor, nn

from aetool import graphs
from aetool.columns.layout import prepare_condition, prepare_table, restore_table
from aetool.columns.schema import Schema
from aetool.errors import PluginError
from aetool.graphs import Graph
from aetool.model import Spec
from aetool.nn.autoencoder import AutoEncoder
from aetool.nn.calls import call, takes
from aetool.rarity import knee, write_cap

OF_CODES = ("decode", "prior_logits")  # members that take codes; the others take rows
MOST_ROWS = 1 << 20  # of a batch that a graph is traced for


class Whole(nn.Module):
    """All members of a network that are exported, as one module, so that shared layers are traced
    once. members: the outputs, in this order."""

    def __init__(self, net: AutoEncoder) -> None:
        super().__init__()
        self.net = net
        self.members = ["parts", "expected"]
        if net.code is not None:
            self.members += ["encode", "decode"]
        if net.prior == "graph":
            self.members.append("prior_logits")

    def inputs(self, x: Tensor) -> dict[str, Tensor]:
        """What it takes, by name, for rows x as the network takes them."""
        if self.net.code is None:
            return {"x": x}
        with torch.no_grad():
            inputs = {"x": x, "z": self.net.encode(x)}
            if is_told(self.net):
                inputs["condition"] = self.net.condition(x)
            return inputs

    def forward(
        self,
        x: Tensor,
        z: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """What each of the members gives, of rows x, and of codes z beside a condition."""
        results = []
        for name in self.members:
            member = getattr(self.net, name)
            if name not in OF_CODES:
                results.append(member(x))
                continue
            assert z is not None
            nothing = z.flatten(1)[:, :0]
            results.append(call(member, z, condition=nothing if condition is None else condition))
        return tuple(results)


def is_told(net: AutoEncoder) -> bool:
    """Whether a network's decode takes a condition, and the data have conditioning columns."""
    return bool(net.spec.conditions) and "condition" in takes(net.decode)


def write(net: AutoEncoder, spec: Spec, schema: Schema | None) -> dict[str, bytes]:
    """encoder.onnx, decoder.onnx (unless the model has no code), prior.onnx (if the model has
    learned one of its codes) and score.onnx, as bytes."""
    wide = spec.shape or (spec.features,)
    whole = Whole(net)
    # any few rows: the values do not matter, the number of rows is left open
    inputs = whole.inputs(torch.zeros(4, *wide))
    try:
        model = traced(whole, inputs, whole.members)
    except Exception as error:  # the exporter raises what it likes
        raise PluginError(f"this network cannot be exported to ONNX: {error}") from error
    out = {"score.onnx": _score(net, spec, schema, model)}
    if net.code is None:
        return out
    # a code may have more than one axis
    size = list(inputs["z"].shape[1:])
    g = Graph()
    code = _embedded(g, model, "encode", {"x": _input(g, spec, schema)})
    g.output("z", code, TensorProto.FLOAT, size)
    out["encoder.onnx"] = g.build("encoder")
    g = Graph()
    decoder_inputs = {"z": g.input("z", TensorProto.FLOAT, size)}
    if schema is not None and is_told(net):
        condition = g.input("condition", TensorProto.DOUBLE, [len(schema.conditions)])
        decoder_inputs["condition"] = prepare_condition(g, schema, condition)
    likely = _embedded(g, model, "decode", decoder_inputs)
    _restore(g, spec, schema, "x_hat", likely)
    g.output("likely", likely, TensorProto.FLOAT, wide)
    out["decoder.onnx"] = g.build("decoder")
    if net.prior == "graph":
        g = Graph()
        logits = _embedded(g, model, "prior_logits", {"z": g.input("z", TensorProto.FLOAT, size)})
        g.output("logits", logits, TensorProto.FLOAT, [*size, net.code.size])
        out["prior.onnx"] = g.build("prior")
    return out


def _embedded(g: Graph, model: onnx.ModelProto, member: str, inputs: dict[str, str]) -> str:
    """Copy one output of a traced network into the graph g; returns the name of the value. inputs:
    the values of g that stand for the network's inputs, by name."""
    return g.embed(_needed_for(model, [member]), inputs, keep_names=True)[member]


def _needed_for(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The nodes of a graph that these outputs depend on, as a graph."""
    needed = set(outputs)
    nodes: list[onnx.NodeProto] = []
    # from the end: what a node that is needed takes is needed, too
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    part = onnx.ModelProto()
    part.graph.node.extend(reversed(nodes))
    part.graph.initializer.extend(c for c in model.graph.initializer if c.name in needed)
    part.graph.output.extend(o for o in model.graph.output if o.name in outputs)
    return part


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


def _score(net: AutoEncoder, spec: Spec, schema: Schema | None, model: onnx.ModelProto) -> bytes:
    g = Graph()
    columns = len(spec.columns)
    both = _needed_for(model, ["parts", "expected"])
    # both share the encoder, which is embedded once
    found = g.embed(both, {"x": _input(g, spec, schema)}, keep_names=True)
    _keep(g, net)
    parts = found["parts"]
    if net.likelihood.error == "bits":
        if schema is not None:
            # what the network cannot see costs beside what it says
            extra = graphs.unexpected(g, schema, "x")
            nothing = g.op("Mul", g.take(parts, [columns]), g.const(0.0))
            parts = g.op("Add", parts, g.op("Concat", extra, nothing, axis=1))
        # from nats
        bits = g.op("Mul", parts, g.const(1 / math.log(2)))
        parts = write_cap(g, bits, knee(schema.rows if schema else 0))
    g.output("parts", parts, TensorProto.FLOAT, [columns + 1])
    _restore(g, spec, schema, "expected", found["expected"])
    if net.prior == "features":
        wide = spec.shape or (spec.features,)
        g.output("likely", found["expected"], TensorProto.FLOAT, wide)
    return g.build("score")


def _keep(g: Graph, net: AutoEncoder) -> None:
    """Stores the weights that the exporter has folded into others, so that `aetool.nn.load` finds
    all of them."""
    held = {c.name.partition(".net.")[2] for c in g.constants}
    state = net.state_dict()
    # by address: tied weights are one tensor of two names
    there = {state[name].data_ptr() for name in held if name in state}
    for name, value in state.items():
        if value.data_ptr() not in there:
            kept = numpy_helper.from_array(value.detach().cpu().numpy(), f"kept.net.{name}")
            g.constants.append(kept)


def traced(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str]) -> onnx.ModelProto:
    """The module as an ONNX model with these inputs, by name, and outputs.

    inputs: an example of each, (rows, ...); the number of rows is left open. Raises what torch does
    where it cannot, and lets it say nothing by itself.
    """
    module.eval()
    buffer = io.BytesIO()
    with _silence(), torch.no_grad():
        program = torch.onnx.export(
            _captured(module, inputs),
            dynamo=True,
            verbose=False,
            opset_version=graphs.OPSET,
            input_names=list(inputs),
            output_names=outputs,
        )
        assert program is not None
        program.save(buffer, external_data=False)  # type: ignore[arg-type]
    return onnx.ModelProto.FromString(buffer.getvalue())


def _captured(module: nn.Module, inputs: dict[str, Tensor]) -> torch.export.ExportedProgram:
    """The module as torch traces it. Of torch's ways only the first is tried: where it fails, so do
    the others, with pages of reasons."""
    # some operators are not sure of one row when they are traced, but are when they run
    rows = torch.export.Dim("batch", min=2, max=MOST_ROWS)
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(
            module,
            tuple(inputs.values()),
            dynamic_shapes=tuple({0: rows} for _ in inputs),
            strict=False,
        )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silences warnings, logs and prints of torch's exporter."""
    # put back afterwards, whatever it was
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
