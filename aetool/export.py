"""Networks to ONNX: encoder, decoder and score graphs in user units, one file each."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
from aetool.tracing import traced

OF_CODES = ("decode", "prior_logits")  # members that take codes; the others take rows


class Whole(nn.Module):
    """One torch module that computes all exported members of a network (encode, decode, parts ...),
    so that shared layers are traced once. members: the names of the outputs, in this order: parts,
    expected; encode and decode with a code; prior_logits for the prior "graph"."""

    def __init__(self, net: AutoEncoder) -> None:
        """Choose the members by the kinds of code and prior that the network declares."""
        super().__init__()
        self.net = net
        self.members = ["parts", "expected"]
        if net.code is not None:
            self.members += ["encode", "decode"]
        if net.prior == "graph":
            self.members.append("prior_logits")

    def inputs(self, x: Tensor) -> dict[str, Tensor]:
        """Example inputs by name for the module: x, rows as the network takes them, (batch, ...);
        z, their codes, if the network has a code; condition, if its decoder takes one."""
        inputs = {"x": x}
        if self.net.code is None:
            return inputs
        with torch.no_grad():
            inputs["z"] = self.net.encode(x)
            if takes_condition(self.net):
                inputs["condition"] = self.net.condition(x)
        return inputs

    def forward(
        self,
        x: Tensor,
        z: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute every member, in the order of `members`, some of rows x, (batch, ...), the others
        of codes z, (batch, latent), and of the condition. z may be None only if the network has no
        code; condition is None where the data have no conditioning columns."""
        results = []
        for name in self.members:
            member = getattr(self.net, name)
            if name not in OF_CODES:
                results.append(member(x))
                continue
            assert z is not None
            # a condition of no columns; made in any case, as the traced nodes are those of a bundle
            no_columns = z.flatten(1)[:, :0]
            condition_of_codes = condition
            if condition_of_codes is None:
                condition_of_codes = no_columns
            results.append(call(member, z, condition=condition_of_codes))
        return tuple(results)


def takes_condition(net: AutoEncoder) -> bool:
    """Whether the decoder takes a condition: the network's decode has an argument for it, and the
    data have conditioning columns."""
    return bool(net.spec.conditions) and "condition" in takes(net.decode)


def write(net: AutoEncoder, spec: Spec, schema: Schema | None) -> dict[str, bytes]:
    """The graphs of a fitted network, as bytes by the names of their files: score.onnx,
    encoder.onnx and decoder.onnx (unless the model has no code), and prior.onnx (if its prior is
    "graph"). schema: of the table's columns, None for pictures. net: on the CPU. PluginError for a
    network that torch cannot export."""
    wide = spec.shape or (spec.features,)
    whole = Whole(net)
    # any few rows: the values do not matter, the number of rows is left open
    inputs = whole.inputs(torch.zeros(4, *wide))
    try:
        model = traced(whole, inputs, whole.members)
    except Exception as error:  # the exporter raises what it likes
        raise PluginError(f"this network cannot be exported to ONNX: {error}") from error
    # each graph takes of the traced network what its outputs depend on
    files = {"score.onnx": _score_graph(net, spec, schema, model)}
    if net.code is None:
        return files
    # a code may have more than one axis
    size = list(inputs["z"].shape[1:])
    files["encoder.onnx"] = _encoder_graph(spec, schema, model, size)
    files["decoder.onnx"] = _decoder_graph(net, spec, schema, model, size)
    if net.prior == "graph":
        files["prior.onnx"] = _prior_graph(model, size, net.code.size)
    return files


def _encoder_graph(
    spec: Spec,
    schema: Schema | None,
    model: onnx.ModelProto,
    size: list[int],
) -> bytes:
    """The bytes of the graph from records, "x" or "pixels", to codes "z", (B, *size) float32;
    model: the traced network; schema: None for pictures."""
    g = Graph()
    features = _input_of_records(g, spec, schema)
    code = _embedded(g, model, "encode", {"x": features})
    g.output("z", code, TensorProto.FLOAT, size)
    return g.build("encoder")


def _decoder_graph(
    net: AutoEncoder,
    spec: Spec,
    schema: Schema | None,
    model: onnx.ModelProto,
    size: list[int],
) -> bytes:
    """The bytes of the graph from codes "z", (B, *size) float32, and a "condition" where the
    network takes one, to "x_hat", the records in user units, (B, columns) float64, or levels of
    pixels, (B, C, H, W) float32, and "likely", the network's own output. model: the traced network;
    size: the shape of one code; schema: None for pictures."""
    g = Graph()
    inputs = {"z": g.input("z", TensorProto.FLOAT, size)}
    if schema is not None and takes_condition(net):
        condition = g.input("condition", TensorProto.DOUBLE, [len(schema.conditions)])
        inputs["condition"] = prepare_condition(g, schema, condition)
    likely = _embedded(g, model, "decode", inputs)
    _output_in_user_units(g, spec, schema, "x_hat", likely)
    g.output(
        "likely",
        likely,
        TensorProto.FLOAT,
        spec.shape or (spec.features,),
    )
    return g.build("decoder")


def _prior_graph(model: onnx.ModelProto, size: list[int], choices: int) -> bytes:
    """The bytes of the graph from discrete codes "z", (B, *size) float32, to "logits", (B, *size,
    choices), of each unit's choices; model: the traced network."""
    # of the code alone: it is asked again for each unit that is drawn or decoded
    g = Graph()
    code = g.input("z", TensorProto.FLOAT, size)
    logits = _embedded(g, model, "prior_logits", {"z": code})
    g.output("logits", logits, TensorProto.FLOAT, [*size, choices])
    return g.build("prior")


def _embedded(
    g: Graph,
    model: onnx.ModelProto,
    member: str,
    inputs: dict[str, str],
) -> str:
    """Copy one output of a traced network, that of a member such as "encode", and what it depends
    on into the graph g; returns the name of the value. inputs: the values of g that stand for the
    network's inputs, by their names there."""
    part = _needed_for(model, [member])
    outputs = g.embed(part, inputs, keep_names=True)
    return outputs[member]


def _needed_for(model: onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The part of a graph that these outputs, by their names, depend on, as a graph: its nodes,
    weights and outputs; inputs are not declared in it."""
    needed = set(outputs)
    nodes: list[onnx.NodeProto] = []
    # from the end: what a node that is needed takes is needed, too
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    part = onnx.ModelProto()
    # in their own order again: a node comes behind those that it reads
    part.graph.node.extend(reversed(nodes))
    for tensor in model.graph.initializer:
        if tensor.name in needed:
            part.graph.initializer.append(tensor)
    for output in model.graph.output:
        if output.name in outputs:
            part.graph.output.append(output)
    return part


def _input_of_records(g: Graph, spec: Spec, schema: Schema | None) -> str:
    """Add to graph g the input of records, and the computation of their features; returns the name
    of the features, (B, features) float32 or pictures."""
    if schema is None:
        pixels = g.input("pixels", TensorProto.UINT8, spec.shape or ())
        return graphs.prepare_image(g, pixels)
    x = g.input("x", TensorProto.DOUBLE, [schema.inputs])
    return prepare_table(g, schema, x)


def _output_in_user_units(
    g: Graph,
    spec: Spec,
    schema: Schema | None,
    name: str,
    expected: str,
) -> None:
    """Add to graph g an output called `name`: expected features in user units, (B, columns)
    float64, or as levels of pixels, (B, C, H, W) float32. expected: their name."""
    if schema is None:
        pixels = graphs.restore_image(g, expected)
        g.output(name, pixels, TensorProto.FLOAT, spec.shape or ())
        return
    value = restore_table(g, schema, expected)
    g.output(name, value, TensorProto.DOUBLE, [len(spec.columns)])


def _score_graph(
    net: AutoEncoder,
    spec: Spec,
    schema: Schema | None,
    model: onnx.ModelProto,
) -> bytes:
    """The bytes of the graph that scores records. Its outputs: parts, (B, columns + 1) float32 in
    the unit of the score, what each column costs and last what all share; expected, what was
    expected of the record, in user units or levels of pixels; with the prior "features" also
    likely, what was expected as features. With the error "bits" parts are in bits, and very large
    ones are dampened. All weights of the network are stored in it. model: the traced network;
    schema: None for pictures."""
    g = Graph()
    parts_and_expected = _needed_for(model, ["parts", "expected"])
    features = _input_of_records(g, spec, schema)
    # parts and expected share the encoder, which is embedded once
    outputs = g.embed(parts_and_expected, {"x": features}, keep_names=True)
    _store_merged_weights(g, net)
    parts = outputs["parts"]
    if net.likelihood.error == "bits":
        parts = _in_bits(g, schema, parts, len(spec.columns))
    g.output("parts", parts, TensorProto.FLOAT, [len(spec.columns) + 1])
    expected = outputs["expected"]
    _output_in_user_units(g, spec, schema, "expected", expected)
    if net.prior == "features":
        g.output(
            "likely",
            expected,
            TensorProto.FLOAT,
            spec.shape or (spec.features,),
        )
    return g.build("score")


def _in_bits(
    g: Graph,
    schema: Schema | None,
    parts: str,
    columns: int,
) -> str:
    """Add nodes to graph g that turn the parts of a score, (B, columns + 1), from nats into bits;
    returns the name of the result. parts: their name; schema: None for pictures.

    Of tables the costs of cells that the network does not see, such as words that are new, are
    added before. Of each part what exceeds log2(rows fitted + 1) + 24 bits (of pictures 24) counts
    ever less, so that none drowns the others.
    """
    rows = 0
    if schema is not None:
        # of pictures nothing is known but pixels
        rows = schema.rows
        unseen = graphs.unexpected(g, schema, "x")
        last = g.take(parts, [columns])
        # nothing is added to what all columns share
        nothing = g.op("Mul", last, g.const(0.0))
        added = g.op("Concat", unseen, nothing, axis=1)
        parts = g.op("Add", parts, added)
    bits = g.op("Mul", parts, g.const(1 / math.log(2)))
    return write_cap(g, bits, knee(rows))


def _store_merged_weights(g: Graph, net: AutoEncoder) -> None:
    """Store, in the score graph g, weights that the exporter has merged into others, so that
    `aetool.nn.load` finds all of the network's weights."""
    state = net.state_dict()
    # by address: tied weights are one tensor of two names
    stored = set()
    for constant in g.constants:
        # names of embedded weights are a prefix, and then those of the network's state
        _, _, name = constant.name.partition(".net.")
        if name in state:
            stored.add(state[name].data_ptr())
    for name, value in state.items():
        if value.data_ptr() in stored:
            continue
        array = value.detach().cpu().numpy()
        kept = numpy_helper.from_array(array, f"kept.net.{name}")
        g.constants.append(kept)
