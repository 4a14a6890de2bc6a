"""Dry run of an export: finds the line of a network that cannot be written as a graph, and why."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from aetool import export, tracing
from aetool.errors import BundleError, PluginError
from aetool.model import Discrete
from aetool.nn import AutoEncoder
from aetool.rehearsal.faults import Author, first_line, guarded
from aetool.runtime import OPERATORS, vet

Array = npt.NDArray[np.float32]
MOST_NUMBERS = 0.2  # part of the numbers that rounding may change, of discrete codes
FEWEST_ROWS = 3  # of which one may be changed by rounding
TOLERANCE = 1e-3  # between graph and network, beside 1 + |value|
# What asks for the number of rows, which a graph is not told; and what to write instead.
ASK_FOR_ROWS = {
    "normalize": "x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)",
    "cosine_similarity": "(a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))",
    "expand_as": "a + 0 * b where broadcasting does not do by itself",
    "expand": "a + 0 * b where broadcasting does not do by itself",
    "repeat": "a + 0 * b, which broadcasts a to the rows of b",
    "view_as": "x.reshape(-1, n), with a number n",
    "reshape_as": "x.reshape(-1, n), with a number n",
    "size": "x.flatten(1) or x.reshape(-1, n), with a number n",
    "shape": "x.flatten(1) or x.reshape(-1, n), with a number n",
    "__len__": "x.flatten(1) or x.reshape(-1, n), with a number n",
    "zeros_like": "0 * x",
    "ones_like": "0 * x + 1",
    "full_like": "0 * x + value",
    "zeros": "0 * x",
    "ones": "0 * x + 1",
    "new_zeros": "0 * x",
    "new_ones": "0 * x + 1",
}
INSTEAD = {
    "sort": "torch.topk(x, n, dim=1)",
    "argsort": "torch.topk(x, n, dim=1).indices",
    "index_put": "torch.where(condition, value, x)",
    "index_put_": "torch.where(condition, value, x)",
    "index": "x.index_select(1, places), with a buffer of places",
    "nonzero": "torch.where(condition, a, b)",
    "masked_select": "torch.where(condition, a, b)",
    "lstm": "layers that see a row at once (nn.Linear, nn.Conv1d)",
}
CODE_FIRST = ("encode", "decode", "parts", "expected", "prior_logits")


def check_export(author: Author, net: AutoEncoder, batches: list[Tensor]) -> None:
    """Export a network to ONNX, run the graph, and compare; PluginError where a step fails or
    results differ.

    net: is left in eval mode. batches: several batches of different sizes, (rows, ...) each, since
    a network that branches on values can agree with its graph on one batch and not on the others.
    """
    net.eval()
    whole = export.Whole(net)
    try:
        model = tracing.traced(whole, whole.inputs(batches[0]), whole.members)
    except Exception as error:  # torch raises what it likes
        raise _error_of_export(author, net, batches[0], error) from error
    _check_operators(author, net, batches[0], model)
    _check_agreement(author, net, batches, model)


def _error_of_export(author: Author, net: AutoEncoder, x: Tensor, error: Exception) -> PluginError:
    """Return the PluginError for a network that torch cannot export: the reason and, if it is
    known, the author's line. x: rows; error: what the export raised."""
    line = author.line_of(error)
    reasons = _reasons(error)
    if "data-dependent" in reasons or "data dependent" in reasons:
        return _error_at(
            author, line, "decides by the values in a tensor (if, float(), .item()), which a graph "
            "cannot: write torch.where(condition, a, b), and keep the number a tensor",
        )  # fmt: skip
    if ".numpy()" in reasons:
        return _error_at(
            author, line, "leaves torch for numpy, which a graph cannot: write it in torch"
        )
    operator = re.search(r"op='aten\.(\w+)'", reasons)
    if operator:
        return _error_of_operator(author, net, x, operator[1])
    if "batch" in reasons and "constant" in reasons:
        return _error_of_row_number(author, net, x)
    return _error_at(author, line, f"cannot be written as a graph: {first_line(_root_of(error))}")


def _check_operators(author: Author, net: AutoEncoder, x: Tensor, model: onnx.ModelProto) -> None:
    """Check that the graph uses only operators that bundles may have. PluginError for the first
    other one, with the author's line that leads to it. x: rows, by which that is found; model: the
    graph."""
    refused = [node for node in model.graph.node if node.op_type not in OPERATORS]
    # a Shape may belong to another operator that is refused, which says more
    for node in sorted(refused, key=lambda node: node.op_type == "Shape"):
        notes = {note.key: note.value for note in node.metadata_props}
        operator = re.search(r"aten\.(\w+)", notes.get("pkg.torch.onnx.class_hierarchy", ""))
        name = operator[1] if operator else node.op_type
        if node.op_type == "Shape" and name not in INSTEAD:
            raise _error_of_row_number(author, net, x)
        raise _error_of_operator(author, net, x, name)
    try:
        vet(model.SerializeToString(), author.model.name, len(x))
    except BundleError as error:
        if "beforehand" in str(error) or "fit together" in str(error):
            raise _error_of_row_number(author, net, x) from None
        raise _error_at(author, "", f"makes a graph that is refused: {first_line(error)}") from None


def _check_agreement(
    author: Author,
    net: AutoEncoder,
    batches: list[Tensor],
    model: onnx.ModelProto,
) -> None:
    """Check that the graph and the network give the same results for each batch. model: the graph.
    PluginError for the first that differs or is not finite, or if the graph cannot run."""
    # the runtime prints nothing of a graph that fails: the error below says it
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has no exception class of its own
        raise _error_at(
            author, "", f"makes a graph that cannot run: {first_line(error)}"
        ) from error
    whole = export.Whole(net)
    for x in batches:
        inputs = whole.inputs(x)
        with torch.no_grad():
            network_results = whole(*inputs.values())
        try:
            results = session.run(None, {k: v.numpy() for k, v in inputs.items()})
        except Exception as error:  # ONNX Runtime has no exception class of its own
            raise _error_of_row_number(author, net, x) from error
        outputs = dict(zip(whole.members, zip(results, network_results, strict=True), strict=True))
        # a code that is wrong makes all else wrong: what goes first is told first
        for member in sorted(outputs, key=CODE_FIRST.index):
            result, tensor = outputs[member]
            if not np.isfinite(result).all():  # of the network itself it was seen before
                raise author.fault(
                    member, "is finite, but not in the graph that was traced of it: numbers below "
                    "1e-8 that are added are left out of graphs; write .clamp(min=1e-12), not "
                    "+ 1e-12, under a division or a logarithm",
                )  # fmt: skip
            if differ(result, tensor.numpy(), isinstance(net.code, Discrete)):
                raise author.fault(
                    member, "returned something else than the graph that was traced of it; it "
                    "must not count its calls, nor branch on values, on the number of rows or on "
                    "being traced",
                )  # fmt: skip


def differ(first: Array, second: Array, discrete: bool, tolerance: float = TOLERANCE) -> bool:
    """Whether two results for the same rows, (rows, ...), differ by more than rounding explains: in
    shape, or by more than `tolerance` (1e-3 by default) times (1 + the size of the second number).
    first, second: float arrays.

    A third of the rows may differ, rounded down, where it is close which unit of a code is chosen;
    where the code is discrete (an argument), a fifth of all numbers. NaN differs from everything.
    """
    if first.shape != second.shape:
        return True
    # what is not a number is apart from everything
    is_apart = ~(np.abs(first - second) <= tolerance * (1 + np.abs(second)))
    if discrete:
        return bool(is_apart.mean() > MOST_NUMBERS)
    rows_apart = is_apart.reshape(len(is_apart), -1).any(axis=1)
    return bool(rows_apart.sum() > len(is_apart) // FEWEST_ROWS)


def _error_of_operator(author: Author, net: AutoEncoder, x: Tensor, name: str) -> PluginError:
    """Return the PluginError for an operator of torch that graphs may not have, with the author's
    line that uses it. name: torch's, as in "aten::name", or if that is not known ONNX's; x: rows to
    run the network on."""
    plain = name.strip("_")
    lines = _Operators(author).lines_of(net, x)
    line = lines.get(plain) or _Functions(author).lines_of(net, x).get(plain, "")
    instead = INSTEAD.get(name, INSTEAD.get(plain))
    remedy = f"write {instead}" if instead else "write it with sums, products and matrix products"
    return _error_at(
        author, line, f"uses the operator {plain}, which a graph may not have; {remedy}"
    )


def _error_of_row_number(author: Author, net: AutoEncoder, x: Tensor) -> PluginError:
    """Return the PluginError for code that reads the number of rows when the graph runs, with the
    line that most likely does. x: rows, on which the network is run to find it."""
    functions = _Functions(author)
    functions.lines_of(net, x)
    lines = functions.by_the_author
    for name, instead in ASK_FOR_ROWS.items():
        if name in lines:
            return _error_at(
                author, lines[name], f"uses {name}, which asks for the number of rows, and a graph "
                f"is not told it; write {instead}",
            )  # fmt: skip
    return _error_at(author, "", "asks for the number of rows, which a graph is not told; write "
               "x.flatten(1), x.reshape(-1, n), or what broadcasts by itself")  # fmt: skip


def _error_at(author: Author, line: str, words: str) -> PluginError:
    """Return a PluginError that begins with a place in the author's code, such as line_of gives it,
    or with the author's class where line is "". words: the rest of the message."""
    return PluginError(f"{author.model.name}: {line or author.author_class.__name__} {words}")


def _reasons(error: BaseException) -> str:
    """Return the messages of an exception and of its causes, from the exception on, a line or more
    each, in one text."""
    messages = []
    cause = error
    while cause is not None:
        messages.append(str(cause))
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    return "\n".join(messages)


def _root_of(error: BaseException) -> BaseException:
    """The exception that began a chain of causes (__cause__): itself, if it has none."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


class _Lines:
    """Records, while members of an author's class run, the first of the author's lines that calls
    each function: by its name in `lines`, and in `by_the_author` if no other library called it in
    between. A context manager by the class of torch that it is joined with."""

    def __init__(self, author: Author) -> None:
        """Begin with no function noted. author: whose lines are looked for."""
        super().__init__()
        self.author = author
        self.lines: dict[str, str] = {}
        self.by_the_author: dict[str, str] = {}  # those that no other library called for him

    def note(self, name: str) -> None:
        """Remember in `lines` the author's line that is running as the first caller of this
        function, if it is the first; in `by_the_author` as well, if no other library called it for
        him. name: the function's. Nothing if no line of the author's is running."""
        line = self.author.line_now()
        if line:
            self.lines.setdefault(name.strip("_"), line)
        if line and self.author.is_own(_caller(name)):
            self.by_the_author.setdefault(name, line)

    def lines_of(self, net: AutoEncoder, x: Tensor) -> dict[str, str]:
        """Run the network on rows x and return the author's first line that called each function or
        operator of torch, by its name. PluginError if the network fails."""
        whole = export.Whole(net)
        inputs = whole.inputs(x)
        with torch.no_grad(), self:  # type: ignore[attr-defined]
            guarded(self.author, "parts", lambda: whole(*inputs.values()))
        return self.lines


def _caller(name: str) -> str:
    """The file whose code has called a function of torch, without torch's own frames in between; ""
    if there is none. name: of that function. Only for `_Lines.note`: it counts the frames from
    there."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_code.co_name in ("handle_torch_function", name):
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""


class _Functions(_Lines, TorchFunctionMode):
    """Records calls by the names of functions as authors write them, such as "softmax"."""

    def __torch_function__(
        self,
        function: Callable[..., object],
        types: object,
        arguments: tuple[object, ...] = (),
        options: dict[str, object] | None = None,
    ) -> object:
        """Note a function of torch by its name, then call it and return its result."""
        name = getattr(function, "__name__", "")
        if name == "__get__":
            name = getattr(getattr(function, "__self__", None), "__name__", "")
        self.note(name)
        return function(*arguments, **(options or {}))


class _Operators(_Lines, TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records calls by torch's internal names of operators, such as "aten::_softmax"."""

    def __torch_dispatch__(
        self,
        function: torch._ops.OpOverload[..., object],
        types: object,
        arguments: tuple[object, ...] = (),
        options: dict[str, object] | None = None,
    ) -> object:
        """Note an operator of torch by its name, then call it and return its result."""
        self.note(function._schema.name.partition("::")[2])
        return function(*arguments, **(options or {}))
