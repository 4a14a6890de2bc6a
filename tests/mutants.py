"""Small mistakes, drawn at random: which of them do the quick tests not see?

    python tests/mutants.py --seed 1 --number 60

Each mutant is one change of one file: a comparison swapped, a whole number one off, an arithmetic
operator swapped, a condition negated, a statement dropped, another value returned, the end of a
slice shifted. It is made in a copy of the tree, where the quick tests of that file are run until
one fails. What no test sees is listed with its line and difference: a test is missing, or the
mutant is equivalent, which a reader has to decide. A mutant that runs for more than twice the
time of the tests, or takes more than MOST_MEMORY, is seen. The exit status is 0 unless the tests
fail without any change.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_MEMORY = 8 << 30  # bytes of address space of a run of the tests

READER_TESTS = "tests/test_reader.py tests/test_container.py -k 'not bombs'"
# file, or file:class -> the tests that are to see its mutants
TARGETS = {
    "aetool/codec/rans.py": "tests/test_format.py tests/test_codec.py -k 'not flipped and not cut'",
    "aetool/codec/symbol_mixing.py": "tests/test_symbol_mixing.py",
    "aetool/codec/symbol_contexts.py": "tests/test_symbol_mixing.py tests/test_format.py",
    "aetool/csv/fields.py": "tests/test_records.py",
    "aetool/csv/cutting.py": "tests/test_dialects.py tests/test_records.py",
    "aetool/codec/bounds.py": "tests/test_contents.py tests/test_types.py -k 'bound or tolera'",
    "aetool/codec/container/block.py": READER_TESTS,
    "aetool/codec/container/footer.py": READER_TESTS,
    "aetool/codec/container/piece.py": READER_TESTS,
    "aetool/codec/container/reader.py": READER_TESTS,
    "aetool/codec/container/recovery.py": READER_TESTS,
}

SWAPPED_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
SWAPPED_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
DROPPED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Continue, ast.Break, ast.Return)
# what a mutant of says nothing: annotations, decorators; parts of f-strings have no places
PASSED_OVER = {"annotation", "returns", "decorator_list"}


@dataclass(frozen=True)
class Mutant:
    """A change to a file's source: the bytes from begin to end become `text`."""

    path: str
    line: int
    begin: int
    end: int
    text: str
    kind: str


def mutants_of(path: str, source: bytes, only: str = "") -> list[Mutant]:
    """All mutants of a file, or of one class of it."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree: ast.AST = ast.parse(source)
    if only:
        tree = next(
            node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == only
        )
    every = []
    for node in _nodes(tree):
        for kind, changed, text in _changes(node):
            begin = starts[changed.lineno - 1] + changed.col_offset
            end = starts[(changed.end_lineno or 0) - 1] + (changed.end_col_offset or 0)
            every.append(Mutant(path, changed.lineno, begin, end, text, kind))
    return every


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and all below it, except what is passed over."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in PASSED_OVER:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _nodes(child)


Change = tuple[str, ast.expr | ast.stmt, str]  # kind, what is replaced, by what


def _changes(node: ast.AST) -> Iterator[Change]:
    """Every mutation that begins at this node."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in SWAPPED_COMPARISONS[type(operator)]:
                swapped = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                text = ast.unparse(ast.Compare(node.left, swapped, node.comparators))
                yield "comparison", node, f"({text})"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield "number", node, str(node.value + 1)
        yield "number", node, f"({node.value - 1})"
    elif isinstance(node, ast.BinOp) and type(node.op) in SWAPPED_OPERATORS:
        swapped_operator = SWAPPED_OPERATORS[type(node.op)]()
        text = ast.unparse(ast.BinOp(node.left, swapped_operator, node.right))
        yield "operator", node, f"({text})"
    elif isinstance(node, ast.Slice) and node.upper is not None:
        for shift in ("+ 1", "- 1"):
            yield "slice", node.upper, f"{ast.unparse(node.upper)} {shift}"
    elif isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield "condition", condition, f"not ({ast.unparse(condition)})"
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition", node.test, f"not ({ast.unparse(node.test)})"
    if isinstance(node, ast.Return) and node.value is not None:
        yield "value", node.value, _other_value(node.value)
    if isinstance(node, DROPPED) and not _is_docstring(node):
        yield "statement", node, "pass"


def _other_value(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        if isinstance(value.value, bool):
            return str(not value.value)
        if value.value is None:
            return "0"
    if isinstance(value, ast.Compare | ast.BoolOp):
        return f"not ({ast.unparse(value)})"
    return "None"


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def drawn(seed: int, number: int, targets: list[str]) -> list[tuple[str, Mutant]]:
    """Draw (target, mutant) at random, `number` of them, each mutant of these targets as likely as
    any other."""
    every = []
    for target in targets:
        path, _, only = target.partition(":")
        source = (ROOT / path).read_bytes()
        every += [(target, mutant) for mutant in mutants_of(path, source, only)]
    return random.Random(seed).sample(every, min(number, len(every)))


def difference(mutant: Mutant) -> str:
    """The lines that a mutant changes, as diff writes them."""
    source = (ROOT / mutant.path).read_bytes()
    before = source.decode().splitlines(keepends=True)
    after = _mutated(source, mutant).decode().splitlines(keepends=True)
    changed = list(difflib.unified_diff(before, after, n=0))[3:]
    return "".join(changed)


def _mutated(source: bytes, mutant: Mutant) -> bytes:
    return source[: mutant.begin] + mutant.text.encode() + source[mutant.end :]


class Copy:
    """A copy of the tree, in which tests are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        leave_out = shutil.ignore_patterns("__pycache__")
        for name in ("aetool", "plugins", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        search = f"{folder}{os.pathsep}{folder / 'plugins'}"
        # a cache of bytecode goes by a file's size and second: mutants could be taken for another
        self.environment = {**os.environ, "PYTHONPATH": search, "PYTHONDONTWRITEBYTECODE": "1"}

    def passes(self, tests: str, seconds: int = 0) -> bool:
        """Whether tests pass within `seconds` of computing (0: any number)."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
            if seconds:
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

        command = f"{sys.executable} -m pytest -q -x -m 'not long' --tb=line {tests}"
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            preexec_fn=limit,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def survives(self, mutant: Mutant, tests: str, seconds: int) -> bool:
        """Whether tests pass with this mutant in place."""
        path = self.folder / mutant.path
        source = path.read_bytes()
        path.write_bytes(_mutated(source, mutant))
        try:
            return self.passes(tests, seconds)
        finally:
            path.write_bytes(source)


def computing_seconds() -> float:
    """The processor time of the child processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(seed: int, number: int, targets: list[str]) -> int:
    """Draw mutants, run the tests on each, list those that survive, and return the exit status."""
    with tempfile.TemporaryDirectory() as name:
        copy = Copy(Path(name))
        limits = {}
        for target in targets:
            before = computing_seconds()
            if not copy.passes(TARGETS[target]):
                print(f"{target}: its tests fail without a mutant")
                return 1
            limits[target] = round(2 * (computing_seconds() - before)) + 10
        survivors = []
        for place, (target, mutant) in enumerate(drawn(seed, number, targets), 1):
            lives = copy.survives(mutant, TARGETS[target], limits[target])
            survivors += [mutant] * lives
            verdict = "SURVIVES" if lives else "seen"
            print(f"{place:3}  {verdict:8}  {mutant.path}:{mutant.line}  {mutant.kind}", flush=True)
            if lives:
                print(difference(mutant), flush=True)
    print(f"{len(survivors)} of {place} survive")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, default=60)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help="of TARGETS; all")
    chosen = parser.parse_args()
    sys.exit(main(chosen.seed, chosen.number, chosen.targets))
