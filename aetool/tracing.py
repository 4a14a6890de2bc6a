"""A torch module as an ONNX model, by torch's own exporter, without what that does in vain."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import logging
import operator
import warnings
from collections.abc import Callable, Collection, Iterator

import onnx
import torch
from torch import Tensor, fx, nn

from aetool import graphs

MOST_ROWS = 1 << 20  # of a batch that a graph is traced for
aten = torch.ops.aten


def traced(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
) -> onnx.ModelProto:
    """Convert a torch module to an ONNX model with these inputs, by name, and these outputs, by
    torch's own exporter.

    module: is left in eval mode. inputs: an example of each, (rows, ...); the number of rows is
    left open. outputs: the names of what it returns, in that order. Raises torch's errors where it
    cannot be converted; torch's own warnings and prints are suppressed.
    """
    module.eval()
    buffer = io.BytesIO()
    with (
        _silence(),
        _operators_collected_once(),
        _passes_where_needed(),
        _rules_where_they_may_apply(),
        _no_search_for_cycles(),
        _origins_unasked(),
        torch.no_grad(),
    ):
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
    """The module's computation as a torch.export program. inputs: an example of each, by name, in
    the order of the module's arguments, whose number of rows is left open. Raises torch's errors.
    Only the first of torch's strategies is tried: where it fails, so do the others, with pages of
    reasons."""
    # some operators are not sure of one row when they are traced, but are when they run
    rows = torch.export.Dim("batch", min=2, max=MOST_ROWS)
    shapes = tuple({0: rows} for _ in inputs)
    with (
        torch.fx.experimental._config.patch(backed_size_oblivious=True),  # type: ignore[attr-defined]
        # of rows of an open number it asks more to look a shape up than to work it out
        torch._dynamo.config.patch(fake_tensor_cache_enabled=False),
    ):
        return torch.export.export(
            module,
            tuple(inputs.values()),
            dynamic_shapes=shapes,
            strict=False,
        )


@contextlib.contextmanager
def _operators_collected_once() -> Iterator[None]:
    """Context manager: within the block torch's exporter takes the operators that it knows as it
    collected them before. Otherwise it would collect hundreds anew for each graph, a third of the
    time that a small one takes."""
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        collect = ONNXRegistry.from_torchlib
    except (ImportError, AttributeError):
        # a torch that keeps them elsewhere: it is slower, and exports the same
        yield
        return
    before = vars(ONNXRegistry)["from_torchlib"]
    remembered = staticmethod(functools.partial(_collected, collect))
    ONNXRegistry.from_torchlib = remembered  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        # others may add operators of their own to what they are given
        ONNXRegistry.from_torchlib = before  # type: ignore[method-assign]


@functools.cache
def _collected(collect: Callable[..., object], *arguments: object, **named: object) -> object:
    """What torch's function `collect` returns for these arguments; it is called once, and its
    result kept."""
    with _sources_unread():
        return collect(*arguments, **named)


@contextlib.contextmanager
def _sources_unread() -> Iterator[None]:
    """Context manager: within the block the sources of torch's operators are not parsed. Otherwise
    each would be parsed as it is collected, only to learn its domain, which an attribute of it
    says, too: half of the time that it takes to collect them."""
    try:
        from onnxscript.values import TracedOnnxFunction

        before = vars(TracedOnnxFunction)["function_ir"]
    except (ImportError, KeyError):
        # an onnxscript that keeps it elsewhere: it is slower, and collects the same
        yield
        return
    # nothing but its domain is asked for here
    only_opset = property(operator.attrgetter("opset"))
    TracedOnnxFunction.function_ir = only_opset  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        TracedOnnxFunction.function_ir = before  # type: ignore[method-assign]


@contextlib.contextmanager
def _passes_where_needed() -> Iterator[None]:
    """Context manager: within the block two passes of torch's exporter are left out where they
    change nothing. One traces the whole network twice more, to write operators that ONNX lacks in
    others: most networks have few of these, which are replaced here (`in_known_operators`). The
    other looks for results of mixed types. The two are two thirds of the time that a graph
    takes."""
    try:
        from torch.onnx._internal.exporter import _decomp, _fx_passes
        from torch.onnx._internal.fx.passes import type_promotion

        known_operators = _decomp.get_onnx_implemented_overloads
        decompose = _fx_passes.decompose_with_registry
        promote = _fx_passes.insert_type_promotion_nodes
        rules = type_promotion.TypePromotionTable()
        rule_for = type_promotion.get_type_promotion_rule
    except (ImportError, AttributeError):
        # a torch that keeps them elsewhere: it is slower, and exports the same
        yield
        return

    def decompose_if_needed(
        program: torch.export.ExportedProgram, registry: object
    ) -> torch.export.ExportedProgram:
        """Return the program in operators that ONNX has: itself, its graph changed in place, if all
        that ONNX lacks could be replaced here, else as torch's pass writes it. registry: torch's,
        of the operators that ONNX has."""
        # hundreds, in each of which every node is looked for
        known = set(known_operators(registry))  # type: ignore[arg-type]
        if in_known_operators(program.graph, known):
            return program
        return decompose(program, registry)  # type: ignore[arg-type]

    def promote_if_needed(module: fx.GraphModule) -> None:
        """Write conversions into the module where numbers become those of another type, in place,
        by torch's pass; nothing if no operator may be given values of several types."""
        if _mixes_types(module.graph, lambda node: rule_for(node, rules)):
            promote(module)

    _fx_passes.decompose_with_registry = decompose_if_needed  # type: ignore[assignment]
    _fx_passes.insert_type_promotion_nodes = promote_if_needed  # type: ignore[assignment]
    try:
        yield
    finally:
        _fx_passes.decompose_with_registry = decompose
        _fx_passes.insert_type_promotion_nodes = promote


@contextlib.contextmanager
def _rules_where_they_may_apply() -> Iterator[None]:
    """Context manager: within the block a rule by which torch's exporter makes graphs simpler is
    tried on nodes of the operator that it is about, and not on every node: a sixth of the time that
    a graph takes."""
    try:
        from onnxscript.rewriter._rewrite_rule import RewriteRule

        try_rule = RewriteRule.try_rewrite
    except (ImportError, AttributeError):
        # an onnxscript that keeps it elsewhere: it is slower, and makes the same graphs
        yield
        return

    def try_if_alike(
        rule: object, model: object, graph: object, node: object, **more: object
    ) -> object:
        """What the rule makes of a node of the graph; None where it makes nothing of it."""
        if _is_of_another_operator(rule, node):
            return None
        return try_rule(rule, model, graph, node, **more)  # type: ignore[arg-type]

    RewriteRule.try_rewrite = try_if_alike  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        RewriteRule.try_rewrite = try_rule  # type: ignore[method-assign]


def _is_of_another_operator(rule: object, node: object) -> bool:
    """Whether a node computes another operator than the one whose result a rule is about; False
    where a rule is about several results, or does not say of which operators they are."""
    try:
        pattern = rule._target_pattern  # type: ignore[attr-defined]
        if len(pattern.output_nodes) != 1:
            return False
        is_alike = pattern.output_nodes[0].op.matches(node.op_type)  # type: ignore[attr-defined]
    except AttributeError:
        return False
    return not is_alike


def in_known_operators(graph: fx.Graph, known: Collection[object]) -> bool:
    """Replace operators of a captured graph that ONNX lacks by others, in place, as torch itself
    would; True if the graph then has none but `known` operators. If not, it still computes the
    same, and torch has to do the rest."""
    # a list, as nodes are erased on the way
    for node in list(graph.nodes):
        replace = REPLACED.get(node.target)
        if replace is not None and not replace(node):
            return False
    # what was asked for by nodes that are gone is not to be known
    graph.eliminate_dead_code()
    for node in graph.nodes:
        if node.op != "call_function" or node.target is operator.getitem:
            continue
        # what writes into its arguments has to be told apart from what does not
        schema = getattr(node.target, "_schema", None)
        if node.target not in known or (schema is not None and schema.is_mutable):
            return False
    return True


def _become(node: fx.Node, target: Callable[..., object], *arguments: object) -> bool:
    """Let a node of a captured graph call another operator, `target`, with these arguments; returns
    True, as all functions of REPLACED do that replaced a node. The node keeps its name, by which
    the outputs of a program are known, and its metadata."""
    node.target = target
    node.args = arguments  # type: ignore[assignment]
    node.kwargs = {}
    return True


def _leave_out(node: fx.Node) -> bool:
    """Take a node out of its graph, and put its first argument in place of its result; returns
    True. False, and nothing is changed, if the result is an output of the program, which is known
    by the node's name."""
    if any(user.op == "output" for user in node.users):
        return False
    node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
    node.graph.erase_node(node)
    return True


def _erased(node: fx.Node) -> bool:
    """Take a node that has no result out of its graph; True."""
    node.graph.erase_node(node)
    return True


def _square(node: fx.Node) -> bool:
    """Let a node that calls square(x) compute x to the power of 2; True."""
    return _become(node, aten.pow.Tensor_Scalar, node.args[0], 2)


def _subtracted_from(node: fx.Node) -> bool:
    """Let a node that calls rsub(x, number) compute number - x; False, and nothing changed, where x
    has a factor, too."""
    if len(node.args) != 2 or node.kwargs:
        return False
    return _become(node, aten.sub.Tensor, node.args[1], node.args[0])


def _converted(node: fx.Node) -> bool:
    """Let a node that names a type or a device change the type alone, or leave it out where the
    type stays. True if that was done; False, and nothing changed, where the device changes, or the
    result of a node to be left out is an output of the program."""
    before = node.args[0].meta["val"]  # type: ignore[union-attr]
    after = node.meta["val"]
    # graphs have no devices, and torch knows what to do with those
    if before.device != after.device:
        return False
    if before.dtype == after.dtype:
        return _leave_out(node)
    _become(node, aten._to_copy.default, node.args[0])
    node.kwargs = {"dtype": after.dtype}
    return True


def _flattened(node: fx.Node) -> bool:
    """Let a node that calls flatten(x, ...) make a view of x, whose number of rows may be left
    open, or leave it out where x is flat; False where it cannot be left out, or another size is
    open, too."""
    before = node.args[0].meta["val"]  # type: ignore[union-attr]
    after = node.meta["val"]
    # one axis is flat already
    if before.dim() == after.dim():
        return _leave_out(node)
    # what is not known yet is a symbol, no int
    size = [length if isinstance(length, int) else -1 for length in after.shape]
    return size.count(-1) <= 1 and _view(node, size)


def _reshaped(node: fx.Node) -> bool:
    """Let a node that calls reshape(x, size) make a view of x, or of a copy where x does not lie in
    one piece; True."""
    return _view(node, node.args[1])


def _view(node: fx.Node, size: object) -> bool:
    """Let a node that gives x another shape make a view of x, or of a copy where x does not lie in
    one piece, for which a node is added before it; True. size: of each axis, -1 for one that is
    left open."""
    x = node.args[0]
    value = x.meta["val"]  # type: ignore[union-attr]
    if not value.is_contiguous():
        with node.graph.inserting_before(node):
            copy = node.graph.call_function(
                aten.clone.default,
                (x,),
                {"memory_format": torch.contiguous_format},
            )
        copy.meta = dict(x.meta)  # type: ignore[union-attr]
        copy.meta["val"] = value.contiguous()
        x = copy
    return _become(node, aten.view.default, x, size)


def _transposed(node: fx.Node) -> bool:
    """Let a node that calls numpy's x.T permute the axes instead; True."""
    axes = list(reversed(range(node.meta["val"].dim())))
    return _become(node, aten.permute.default, node.args[0], axes)


def _convolved_back(node: fx.Node) -> bool:
    """Let a node that calls conv_transpose2d(x, weight, bias, stride, padding, output_padding,
    groups, dilation) call the general convolution; arguments at the end may be missing. False, and
    nothing changed, where any is given by name."""
    if node.kwargs:
        return False
    # torch's own defaults, from the bias on
    defaults: list[object] = [None, [1, 1], [0, 0], [0, 0], 1, [1, 1]]
    x, weight, *optional_arguments = node.args
    optional_arguments += defaults[len(optional_arguments) :]  # type: ignore[arg-type]
    bias, stride, padding, output_padding, groups, dilation = optional_arguments
    is_transposed = True
    return _become(
        node,
        aten.convolution.default,
        x,
        weight,
        bias,
        stride,
        padding,
        dilation,
        is_transposed,
        output_padding,
        groups,
    )


# Operators that ONNX lacks and networks have, and how each is replaced.
REPLACED: dict[object, Callable[[fx.Node], bool]] = {
    aten.square.default: _square,
    aten.rsub.Scalar: _subtracted_from,
    aten.to.dtype: _converted,
    aten.to.device: _converted,
    aten._assert_tensor_metadata.default: _erased,
    aten.flatten.using_ints: _flattened,
    aten.reshape.default: _reshaped,
    aten.numpy_T.default: _transposed,
    aten.conv_transpose2d.input: _convolved_back,
}
# Of these torch makes graphs in which a whole number has the type of what is beside it.
ARITHMETIC = {aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor}
ARITHMETIC |= {aten.pow.Tensor_Scalar, aten.lt.Scalar, aten.le.Scalar, aten.gt.Scalar}
ARITHMETIC |= {aten.ge.Scalar, aten.eq.Scalar, aten.ne.Scalar}


def _mixes_types(graph: fx.Graph, rule_of: Callable[..., object]) -> bool:
    """Whether an operator of a captured graph may be given values of several types, such as a whole
    number beside float32. rule_of: returns torch's rule for the type of a node's result, or None
    for an operator without such a rule."""
    for node in graph.nodes:
        rule = rule_of(node)
        if rule is None:
            continue
        # the others are places, axes or conditions
        places = getattr(rule, "promote_args_positions", (0,))
        values = [argument for place, argument in enumerate(node.args) if place in places]
        values += node.kwargs.values()
        # a factor has a name: in (x, y, alpha=2) it is made in the graph, of a type not known yet
        may_have_numbers = node.target in ARITHMETIC and not node.kwargs
        for value in values:
            if isinstance(value, int) and may_have_numbers:
                continue
            if not _is_float(value):
                return True
    return False


def _is_float(value: object) -> bool:
    """Whether an argument of a node is a number of Python's type float, or None, or a tensor of
    float32, or a list of these."""
    if isinstance(value, (list, tuple)):
        return all(_is_float(each) for each in value)
    if not isinstance(value, fx.Node):
        return value is None or isinstance(value, float)
    result = value.meta.get("val")
    return isinstance(result, Tensor) and result.dtype == torch.float32


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Context manager: within the block Python does not look for cycles of objects that are no
    longer used. That search would go through all of torch again and again, a tenth of the time that
    a graph takes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def _origins_unasked() -> Iterator[None]:
    """Context manager: within the block torch does not note for each node of what it captures which
    lines of code it comes from. No graph has that in it, and it takes a tenth of the time that one
    takes."""
    config = getattr(fx, "config", None)
    name = "do_not_emit_stack_traces"
    if not hasattr(config, name):
        # a torch that cannot leave it out: it is slower, and exports the same
        yield
        return
    before = getattr(config, name)
    setattr(config, name, True)
    try:
        yield
    finally:
        setattr(config, name, before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Context manager: suppress the warnings, log lines and prints of torch's exporter."""
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
