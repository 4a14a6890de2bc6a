"""Graphs are the same whether torch's passes run or are left out, and right where they have to run."""

import contextlib

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from aetool import plugins, testing, tracing
from aetool.export import Whole
from tests.conftest import built_ins
from tests.sweeps import one_in

ROWS = 5


def networks():
    """A case for each kind of data of each network."""
    for name in built_ins():
        for kind in sorted(plugins.get_model(name).data & {"table", "image"}):
            yield pytest.param(name, kind, id=f"{name}-{kind}")


def by_order(model):
    """What a graph computes: its nodes, where values are named by the order in which they come."""
    names = {"": ""}
    for given in model.graph.input:
        names[given.name] = given.name
    for weight in model.graph.initializer:
        held = (weight.data_type, tuple(weight.dims), weight.raw_data)
        names[weight.name] = weight.name if "." in weight.name else held
    nodes = []
    for node in model.graph.node:
        name_of = [names.setdefault(name, len(names)) for name in (*node.input, *node.output)]
        nodes.append((node.op_type, name_of, [a.SerializeToString() for a in node.attribute]))
    return nodes, [names[output.name] for output in model.graph.output]


SHORTCUTS = ("_passes_where_needed", "_rules_where_they_may_apply")


def with_all_passes(monkeypatch, *arguments, shortcuts=SHORTCUTS):
    """The graph that torch's exporter makes if nothing of it is left out."""
    with monkeypatch.context() as patched:
        for name in shortcuts:
            patched.setattr(tracing, name, contextlib.nullcontext)
        return tracing.traced(*arguments)


# networks of hundreds of operators, each of which is traced by itself below
@pytest.mark.long
@pytest.mark.parametrize(("name", "kind"), list(networks()))
def test_graphs_are_those_of_all_passes(name, kind, monkeypatch):
    bench = testing._Bench(plugins.get_model(name), kind)
    if not bench.deep:
        pytest.skip("it is no network")
    spec = bench.prepared.spec
    whole = Whole(bench.fresh())
    inputs = whole.inputs(torch.zeros(4, *(spec.shape or (spec.features,))))
    left_out = tracing.traced(whole, inputs, whole.members)
    # operators collected anew, from sources that are read
    all_of_it = (*SHORTCUTS, "_operators_collected_once")
    arguments = (whole, inputs, whole.members)
    assert by_order(left_out) == by_order(
        with_all_passes(monkeypatch, *arguments, shortcuts=all_of_it)
    )


class Of(nn.Module):
    """A function of a batch as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.arange(1.0, 37.0).reshape(2, 2, 3, 3) / 36)

    def forward(self, x):
        return (self.function(self, x),)


# whether torch's own passes are needed, the size of a record, and what is computed of it
FUNCTIONS = {
    "square": (False, (4,), lambda net, x: x.square()),
    "a number less x": (False, (4,), lambda net, x: 1 - x),
    "a number less twice x": (True, (4,), lambda net, x: torch.rsub(x, 1, alpha=2)),
    "of another type": (False, (4,), lambda net, x: (x > 0).to(torch.float32) * x),
    "of the same type": (False, (4,), lambda net, x: x.to(torch.float32) + 1),
    "the same at the end": (True, (4,), lambda net, x: (x + 1).to(torch.float32)),
    "in a row": (False, (2, 4, 4), lambda net, x: x.flatten(1) * 2),
    "all in a row": (False, (2, 4, 4), lambda net, x: x.flatten().reshape(-1, 2, 4, 4)),
    "flat already": (False, (4,), lambda net, x: x.flatten(1) * 2),
    "flat at the end": (True, (4,), lambda net, x: (x * 2).flatten(1)),
    "in another order": (False, (2, 4), lambda net, x: x.transpose(1, 2).reshape(-1, 8)),
    "by columns": (False, (4,), lambda net, x: x @ net.weight.reshape(9, 4).T),
    "larger": (False, (2, 4, 4), lambda net, x: nn.functional.conv_transpose2d(x, net.weight)),
    "much larger": (
        False,
        (2, 4, 4),
        lambda net, x: nn.functional.conv_transpose2d(x, net.weight, None, 2, 1, 1),
    ),
    "truth as a number": (False, (4,), lambda net, x: x * (x > 0)),
    "whole numbers in halves": (False, (4,), lambda net, x: (x > 0).sum(dim=1, keepdim=True) / 2),
    "at least a whole number": (False, (4,), lambda net, x: x.clamp(0)),
    "more by a number twice": (False, (4,), lambda net, x: torch.add(x, 1, alpha=2)),
    "chosen": (False, (4,), lambda net, x: torch.where(x > 0, x, 0.5)),
    "in place": (True, (4,), lambda net, x: (x + 1).mul_(2)),
    "what is written in others": (
        True,
        (4,),
        lambda net, x: torch.special.entr(x.abs()),
    ),
}


# each is traced twice
@pytest.mark.parametrize("name", one_in(2, FUNCTIONS))
def test_each_operator_is_written_as_torch_would(name, monkeypatch):
    """The graph is that of all passes, and gives what torch gives."""
    needed, shape, function = FUNCTIONS[name]
    known = []
    look = tracing.in_known_operators
    monkeypatch.setattr(
        tracing, "in_known_operators", lambda *given: known.append(look(*given)) or known[-1]
    )
    x = torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(0))
    net = Of(function)
    model = tracing.traced(net, {"x": x}, ["y"])
    assert known == [not needed]
    assert by_order(model) == by_order(with_all_passes(monkeypatch, net, {"x": x}, ["y"]))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for rows in (1, ROWS):
        (y,) = session.run(None, {"x": x[:rows].numpy()})
        np.testing.assert_allclose(y, net(x[:rows])[0].detach().numpy(), rtol=1e-5, atol=1e-6)
