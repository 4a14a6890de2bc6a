"""The dry run of a network: every member once on a few rows, and one export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aetool.model import Continuous, Discrete, Spec
from aetool.nn import AutoEncoder
from aetool.nn.calls import OPTIONAL, call
from aetool.rehearsal import examples
from aetool.rehearsal.exporting import check_export, differ
from aetool.rehearsal.faults import Author, guarded, kind_of

Shape = tuple[int, ...]
NOTHING: Mapping[str, object] = {}
NO_TENSORS: Mapping[str, Tensor] = {}
Unpack = Callable[..., object]  # what a member returns, to what is looked at

ROWS = 7  # of most checks; not the size of anything else
MANY = 32  # rows that a code must tell apart
SEED = 5
TOLERANCE = 1e-4  # beside 1 + |value|: sums may be added up in another order
FARTHER = 10.0  # times, how far rows are stretched before a code counts as constant
# how many arguments the host passes to each member, in the order in which it calls them
CALLS = {
    "__init__": 2,
    "latent_size": 0,
    "width": 0,
    "build": 0,
    "start": 1,
    "begin": 1,
    "finish": 1,
    "encode": 1,
    "draw": 2,
    "decode": 1,
    "expected": 1,
    "corrupt": 2,
    "parts": 1,
    "loss": 2,
    "prior_logits": 1,
    "penalty": 1,
    "after_step": 1,
    "stages": 0,
    "report": 1,
}
LOSS_OF_PAIRS = 3  # arguments of the loss of a model that is fitted on damaged and clean records
DRAWS = (
    "differs between two calls with the same rows and generator; draw only from the generator that "
    "is passed in: torch.randn(..., generator=rng)"
)
PRIORS = ("codes", "normal", "graph", "features")
MEANS = ("squares", "weighed squares", "likelihood")


def rehearse(author: Author, params: object, spec: Spec) -> AutoEncoder:
    """Build an author's network and try on a few random rows all that training and scoring will ask
    of it; returns it with its first weights, in eval mode.

    params: the values of the model's parameters; spec: the layout of the rows. PluginError names
    what it did wrong, and the author's line.
    """
    author.check_names()
    calls = dict(CALLS)
    if "pairs" in author.model.data:
        calls["loss"] = LOSS_OF_PAIRS
    author.check_calls(calls, OPTIONAL)
    net = _build_network(author, params, spec)
    stage = _Stage(author, net, spec)
    # in the order in which a fit meets them: an author mends what comes first
    stage.check_declared()
    stage.check_start()
    if net.code is not None:
        stage.check_code()
    stage.check_scores()
    stage.check_training()
    return net.eval()


def rehearse_export(author: Author, net: AutoEncoder) -> None:
    """Check that the network can be exported to a graph that gives the same results. PluginError if
    not, with the author's line if it is known."""
    # two batches of different size: a graph that has one size built in fails with the other
    batches = []
    for rows in (3, ROWS):
        records = examples.records(net.spec, rows, SEED + rows)
        batches.append(torch.from_numpy(records))
    check_export(author, net, batches)


def _build_network(author: Author, params: object, spec: Spec) -> AutoEncoder:
    """Build the network with a seed of its own, so that nothing global changes; returns it in eval
    mode. PluginError if that fails."""

    def build() -> AutoEncoder:
        """Make the network; torch's global generator is as before afterwards."""
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            return author.author_class(spec, params)  # type: ignore[no-any-return]

    # faults are told of the method that the author wrote
    method = "__init__" if author.wrote("__init__") else "build"
    net = guarded(author, method, build)
    return net.eval()


class _Stage:
    """A network that is being tried, together with the random rows on which its members are called.
    Every check raises PluginError for what it finds wrong."""

    def __init__(self, author: Author, net: AutoEncoder, spec: Spec) -> None:
        """Make the random rows. net: of the author's class, in eval mode; spec: the layout of the
        rows."""
        self.author = author
        self.net = net
        self.spec = spec
        self.x = torch.from_numpy(examples.records(spec, ROWS, SEED))
        self.layout = spec.shape or (spec.features,)
        self.columns = len(spec.columns)

    def check_declared(self) -> None:
        """Check the attributes by which a network declares its kind of code, how codes are drawn,
        and what means follow in training. PluginError if one has a value that the host does not
        know, or the prior "graph" is declared for a code that is not discrete."""
        net = self.net
        allowed = {"prior": PRIORS, "means": MEANS}
        for name, values in allowed.items():
            value = getattr(net, name)
            if value not in values:
                raise self.author.fault(name, f"is {value!r}; it must be {_listed(values)}")
        if not isinstance(net.code, Continuous | Discrete | None):
            raise self.author.fault(
                "code",
                f"is {net.code!r}; it must be Continuous(size), Discrete(size, shape), None",
            )
        if net.prior == "graph" and not isinstance(net.code, Discrete):
            raise self.author.fault(
                "prior",
                f"is 'graph', and its code {net.code!r}; 'graph' is for a Discrete code",
            )

    def check_start(self) -> None:
        """Run start, if the author wrote it, and begin and finish, on 32 rows; PluginError if one
        fails."""
        rows = torch.from_numpy(examples.records(self.spec, MANY, SEED))
        if self.author.wrote("start"):
            self.run("start", rows)
        batches = [rows[first : first + ROWS] for first in range(0, MANY, ROWS)]
        with torch.no_grad():
            self.run("begin", batches)
            self.run("finish", batches)

    def check_code(self) -> None:
        """Check encode, decode, draw, and the methods that belong to them; PluginError if one
        fails, or returns another shape, or something else at a second call."""
        net = self.net
        rng = _generator()
        shape = _shape_of_code(net.code)
        code = self.steady("encode", self.x, (ROWS, *shape), "(batch, size of the code)")
        if code.dtype != torch.float32:
            raise self.author.fault(
                "encode",
                f"returned {code.dtype}; float32 is wanted: write z.float()",
            )
        # a discrete code of few levels may be the same for few rows
        if isinstance(net.code, Continuous):
            self.check_code_varies()
        self.steady(
            "decode",
            code,
            shape=(ROWS, *self.layout),
            meaning="the layout of x",
            optional={"condition": net.condition(self.x)},
        )
        drawn = self.run("draw", self.x, rng)
        self.check_tensor("draw", drawn, (ROWS, *shape), "what encode returns")
        # twice, with generators of one seed: what draws from another one differs
        penalty = self.run("penalty", code, optional={"rng": _generator()})
        penalty_again = self.run("penalty", code, optional={"rng": _generator()})
        self.check_tensor("penalty", penalty, (), "one number for the batch")
        if not torch.equal(penalty, penalty_again):
            raise self.author.fault("penalty", DRAWS)
        if net.prior == "graph":
            size = net.code.size  # type: ignore[union-attr]
            self.steady("prior_logits", code, (ROWS, *shape, size), "(batch, code, size)")

    def check_code_varies(self) -> None:
        """Check that the code differs between rows; PluginError if many random rows have one code,
        which would store nothing."""
        rows = torch.from_numpy(examples.records(self.spec, MANY, SEED))
        # far from the middle, too, where units that are cut off at first may be above 0
        codes = []
        for stretch in (1.0, FARTHER, -FARTHER):
            codes.append(self.run("encode", stretch * rows))
        of_first_row = codes[0][:1]
        if all(bool((code == of_first_row).all()) for code in codes):
            raise self.author.fault(
                "encode",
                f"returned one code for {3 * MANY} different rows; a code must tell rows apart: "
                "is it cut off, or multiplied by 0?",
            )

    def check_scores(self) -> None:
        """Check the results of `expected`, `parts` and `report`; PluginError for a wrong type or
        shape, and for the first two where a row's result depends on chance or on other rows."""
        self.steady(
            "expected",
            self.x,
            (ROWS, *self.layout),
            "the layout of x",
        )
        meaning = "(batch, columns + 1): nats of each column, and last what all share"
        self.steady("parts", self.x, (ROWS, self.columns + 1), meaning)
        figures = self.run("report", self.x)
        if not isinstance(figures, dict):
            raise self.author.fault(
                "report",
                f"returned {kind_of(figures)}; wanted is a dict of name to number",
            )

    def check_training(self) -> None:
        """Check the members that training calls: corrupt; loss, in eval and in train mode, and that
        it has a gradient; after_step; and the list of stages. PluginError for the first that is
        wrong. No weight is stepped by the gradient; the network is left in train mode."""
        corrupted = self.run("corrupt", self.x, _generator())
        self.check_tensor(
            "corrupt",
            corrupted,
            tuple(self.x.shape),
            "a damaged copy of x",
        )
        # twice, with generators of one seed
        first = self.loss()
        second = self.loss()
        self.check_loss(first)
        if not torch.equal(first, second):
            raise self.author.fault("loss", DRAWS)
        if "pairs" in self.author.model.data:
            damaged = self.x.clone()
            self.check_loss(self.loss(damaged))
        # what a network does in training alone, as moving averages, is tried last
        self.net.train()
        loss = self.loss()
        self.check_loss(loss)
        self.check_gradient(loss)
        self.run("after_step", _generator())
        self.check_stages()

    def check_stages(self) -> None:
        """Check that the stages of training are lists of parameters, one at least; PluginError if
        not."""
        stages = self.run("stages", unpack=list)
        if not stages or not all(map(_holds_parameters, stages)):
            kind_given = kind_of(stages[0]) if stages else "none"
            raise self.author.fault(
                "stages",
                f"must yield lists of parameters, one after the other; it gave {kind_given}",
            )

    def loss(self, *damaged_rows: Tensor) -> Tensor:
        """Call the member `loss` on the 7 rows `x`, some of them labelled as ordinary and some as
        anomalies, and return its result, unchecked: it should be (7,). damaged_rows: one damaged
        copy of the rows, for a model of pairs, or nothing. PluginError if it fails."""
        # -1, 0 and 1 in turn
        labels = torch.arange(ROWS) % 3 - 1.0
        arguments = (self.x, _generator(), *damaged_rows)
        by_name = {"labels": labels}
        return self.run("loss", *arguments, optional=by_name)  # type: ignore[no-any-return]

    def check_loss(self, loss: object) -> None:
        """Check that a loss is a tensor of one finite number for each row; PluginError if not."""
        # the commonest mistake has a message of its own
        if isinstance(loss, Tensor) and loss.dim() == 0:
            raise self.author.fault(
                "loss",
                "returned one number for the whole batch; wanted is one for each row, "
                f"({ROWS},): sum over dim=1, and leave the mean over rows to training",
            )
        self.check_tensor(
            "loss",
            loss,
            (ROWS,),
            "(batch,), one number for each row",
        )

    def check_gradient(self, loss: Tensor) -> None:
        """Check that the loss has a gradient for the weights: training needs one; PluginError if
        there is none, or one that is not finite. The gradients stay in the weights."""
        if not loss.requires_grad:
            raise self.author.fault(
                "loss",
                "has no gradient; is it detached, or computed under no_grad or in numpy?",
            )

        def backward() -> None:
            """Compute the gradients of the mean loss."""
            loss.mean().backward()  # type: ignore[no-untyped-call]

        guarded(self.author, "loss", backward)
        for name, weight in self.net.named_parameters():
            # a weight that the loss does not use has none
            if weight.grad is None:
                continue
            if not bool(torch.isfinite(weight.grad).all()):
                raise self.author.fault(
                    "loss",
                    f"has a gradient in {name} that is not finite; look for log or sqrt of 0, or "
                    "a division by it: clamp(min=1e-6)",
                )

    def run(
        self,
        member: str,
        *arguments: object,
        unpack: Unpack | None = None,
        optional: Mapping[str, object] = NOTHING,
    ) -> Any:
        """Call a member of the network and return its result; PluginError if it raises, uses a
        global random generator, or changes a tensor that it was given in `arguments`. AetoolErrors
        pass.

        unpack: a function applied to its result before faults are looked for, as list to a
        generator; None: none. optional: arguments by name, passed if the member takes them.
        """
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        copies = [tensor.clone() for tensor in tensors]

        def result_of_member() -> Any:
            """The result of the member, unpacked."""
            result = call(getattr(self.net, member), *arguments, **optional)
            # a generator runs, and fails, only when it is read
            return unpack(result) if unpack else result

        result = guarded(self.author, member, result_of_member)
        for tensor, copy in zip(tensors, copies, strict=True):
            if not torch.equal(tensor, copy):
                raise self.author.fault(
                    member,
                    "changed its argument in place; work on a copy: x = x.clone(), or use "
                    "operations without a trailing _",
                )
        return result

    def steady(
        self,
        member: str,
        rows: Tensor,
        shape: Shape,
        meaning: str,
        optional: Mapping[str, Tensor] = NO_TENSORS,
    ) -> Tensor:
        """Call a member that must not depend on chance or on other rows, check that, and return its
        result for all rows.

        PluginError if it fails, returns another shape, or depends on them. shape: of the result for
        all rows, the batch first. meaning: what the result is called in errors. optional: arguments
        by name, passed if the member takes them, with a row for each row.
        """
        with torch.no_grad():
            result = self.run(member, rows, optional=optional)
            self.check_tensor(member, result, shape, meaning)
            # each row alone, to be compared with the same row among others
            results_of_rows = []
            for first in range(len(rows)):
                row = slice(first, first + 1)
                of_row = {name: values[row] for name, values in optional.items()}
                results_of_rows.append(self.run(member, rows[row], optional=of_row))
            alone = torch.cat(results_of_rows)
            again = self.run(member, rows, optional=optional)
            if not torch.equal(result, again):
                raise self.author.fault(
                    member,
                    "returned two results for the same rows; it must neither draw nor count: use "
                    "the mean, or average over fixed draws kept in a buffer",
                )
        discrete = isinstance(self.net.code, Discrete)
        if differ(alone.numpy(), result.numpy(), discrete, TOLERANCE):
            raise self.author.fault(
                member,
                "returned another result for a row alone than beside other rows; no statistic of "
                "the batch (mean, max, softmax over dim=0) belongs in it",
            )
        return result  # type: ignore[no-any-return]

    def check_tensor(
        self,
        member: str,
        result: object,
        shape: tuple[int, ...],
        meaning: str,
    ) -> None:
        """Check that what a member returned is a tensor of this shape, all of it finite;
        PluginError otherwise. member: its name; meaning: what is wanted, in words."""
        if not isinstance(result, Tensor):
            raise self.author.fault(
                member,
                f"returned {kind_of(result)}; wanted is a tensor {_shape(shape)}: {meaning}",
            )
        if tuple(result.shape) != shape:
            raise self.author.fault(
                member,
                f"returned shape {_shape(result.shape)}; wanted is {_shape(shape)}: {meaning}",
            )
        if not bool(torch.isfinite(result).all()):
            raise self.author.fault(
                member,
                "returned values that are not finite (nan or inf); look for log or sqrt of 0, or "
                "a division by it: clamp(min=1e-6)",
            )


def _holds_parameters(stage: Iterable[object]) -> bool:
    """Whether all items of a stage are parameters of a network; True of none."""
    return all(isinstance(member, nn.Parameter) for member in stage)


def _generator() -> torch.Generator:
    """A new generator of random numbers for torch, always with the same seed."""
    return torch.Generator().manual_seed(SEED)


def _shape_of_code(code: Continuous | Discrete | None) -> Shape:
    """The shape of one record's code: (size,) if it is of numbers, else as the network declares;
    (), as of a single number, without a code."""
    if code is None:
        return ()
    if isinstance(code, Continuous):
        return (code.size,)
    return tuple(code.shape)


def _shape(shape: Sequence[int]) -> str:
    """A shape as text, such as "(8, 3)"."""
    return str(tuple(int(size) for size in shape))


def _listed(values: tuple[str, ...]) -> str:
    """Names in quotes with commas between them and "or" before the last; two names at least."""
    *first, last = map(repr, values)
    return f"{', '.join(first)} or {last}"
