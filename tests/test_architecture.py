"""The house keeps its own rules: imports, cycles, names."""

import ast
import functools
import inspect
import re
from pathlib import Path

import aetool
from aetool.columns.kinds import KINDS
from aetool.fits import fitting
from tests.conftest import built_ins, fresh
from tests.trees import tree_of

ROOT = Path(aetool.__file__).parent
ORDER = [
    "errors", "system", "threads", "spelling", "engine", "arguments", "canonical", "hypertext", "printing", "files", "model", "hookspecs", "declarations", "plugins", "kernel", "csv", "data", "columns", "exact", "runtime", "detection", "bundle", "codec",
    "graphs", "pairs", "rarity", "closed_form", "folds", "trimming", "nn", "training", "tracing", "export", "rehearsal", "mapping", "fits", "report", "scoring", "writing", "archives", "operations", "api", "sklearn", "testing", "cli",
]  # fmt: skip
HEAVY = {
    "torch": {"nn", "training", "tracing", "export", "rehearsal", "testing"},
    "onnx": {
        "exact",
        "runtime",
        "graphs",
        "pairs",
        "folds",
        "closed_form",
        "tracing",
        "export",
        "rehearsal",
        "fits",
        "archives",
        "operations",
    },
    "onnxruntime": {"exact", "runtime", "rehearsal", "fits", "operations", "cli"},
    "pyarrow": {"data", "codec", "cli"},
    "pandas": {"data", "scoring", "archives", "sklearn", "operations"},
    "PIL": {"data"},
    "sklearn": {"sklearn"},
    "matplotlib": {"writing"},
}


@functools.cache
def rooms():
    """(room, file, [modules it imports]) of each file; read once, as those who ask change nothing of
    it."""
    files = []
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT)
        room = relative.parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        tree = tree_of(path)
        guarded = {
            id(n) for block in ast.walk(tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for n in ast.walk(block)
        }  # fmt: skip
        found = []
        for node in ast.walk(tree):
            if id(node) in guarded:
                continue
            if isinstance(node, ast.Import):
                found += [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found += [f"{node.module}.{a.name}" for a in node.names]
        files.append((room, relative, found))
    return files


def test_every_room_has_its_place():
    assert {room for room, _, _ in rooms()} == set(ORDER)


def test_imports_run_one_way():
    for room, path, imported in rooms():
        for name in imported:
            parts = name.split(".")
            if parts[0] != "aetool" or parts[1] in ("__version__", room):
                continue
            assert ORDER.index(parts[1]) < ORDER.index(room), f"{path} imports {name}"


def test_no_cycles_between_files():
    edges = {}
    for _, path, imported in rooms():
        name = ".".join(["aetool", *path.with_suffix("").parts]).removesuffix(".__init__")
        edges[name] = {i for i in imported if i.startswith("aetool.")}
    known = set(edges)
    graph = {
        a: {b if b in known else b.rpartition(".")[0] for b in bs} & known - {a}
        for a, bs in edges.items()
    }
    seen, path = set(), []

    def visit(node):
        assert node not in path, f"cycle: {' -> '.join([*path[path.index(node) :], node])}"
        if node in seen:
            return
        path.append(node)
        for other in sorted(graph[node]):
            visit(other)
        path.pop()
        seen.add(node)

    for node in sorted(graph):
        visit(node)


def test_heavy_packages_stay_in_their_rooms():
    for room, path, imported in rooms():
        for name in imported:
            allowed = HEAVY.get(name.split(".")[0])
            assert allowed is None or room in allowed, f"{path} imports {name}"


def test_no_plugin_is_named_in_host_code():
    """But for the names of the defaults, values in one place of each face; "auto" is also what a
    device is called."""
    names = built_ins().keys() - {fitting.DEFAULT, fitting.CODE_ON_THE_SPOT}
    packages = "|".join(built_ins().values())
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in names, f"{path} names the plugin {node.value}"
        assert not re.search(rf"\b({packages})\b", path.read_text()), path
    spot = f'"{fitting.CODE_ON_THE_SPOT}"'
    assert sum(p.read_text().count(spot) for p in ROOT.rglob("*.py")) <= 4


def test_help_imports_click_and_pluggy_alone():
    code = (
        "import sys\nfrom aetool.cli import status\nassert status(['--help']) == 0\n"
        "heavy = {'numpy', 'torch', 'onnx', 'onnxruntime', 'pyarrow', 'pandas', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr


def test_the_runtime_path_imports_no_heavy_package(rows_csv, pca, vae, tmp_path):
    code = (
        "import sys\nfrom aetool.cli import status\nrows, pca, vae, out = sys.argv[1:]\n"
        "for line in (['detect', rows, '-m', vae], ['detect', rows], ['fit', rows, '-o', out + '/m.aem'],\n"
        "             ['compress', rows, '-o', out + '/a.aez'], ['decompress', out + '/a.aez', '-o', out + '/a'],\n"
        "             ['compress', rows, '--lossy-only', '-m', vae, '--embed', '-o', out + '/b.aez'],\n"
        "             ['decompress', out + '/b.aez', '-o', out + '/b'], ['info', out + '/b.aez'],\n"
        "             ['verify', out + '/b.aez', vae], ['export', vae, '-o', out + '/g']):\n"
        "    assert status(line) == 0, line\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'PIL', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = fresh(code, str(rows_csv), str(pca), str(vae), str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_archives_are_written_and_judged_without_what_runs_models(rows_csv, tmp_path):
    """ONNX takes longer to import than a small table to encode, or an archive to be judged."""
    code = (
        "import sys\nfrom aetool.cli import status\nrows, out = sys.argv[1:]\n"
        "for line in (['compress', rows, '-o', out + '/a.aez'], ['detect', out + '/a.aez'],\n"
        "             ['compress', rows, '--max-error', '1%', '-o', out + '/b.aez'],\n"
        "             ['decompress', out + '/b.aez', '-o', out + '/b'], ['info', out + '/b.aez'],\n"
        "             ['verify', out + '/a.aez']):\n"
        "    assert status(line) == 0, line\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'pandas', 'pyarrow', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = fresh(code, str(rows_csv), str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_public_names_are_there():
    assert aetool.__all__ == sorted(
        ["AetoolError", "Archive", "Bundle", "Continuous", "Discrete", "Member", "Model", "NetParams", "Reader", "Spec",
         "__version__", "compress", "decompress", "detect", "drift", "fit", "hookimpl", "load", "merge", "open", "param", "tradeoff"]
    )  # fmt: skip
    for name in aetool.__all__:
        assert getattr(aetool, name).__doc__ or name == "__version__"


def test_every_public_thing_has_a_docstring():
    for path in ROOT.rglob("*.py"):
        tree = tree_of(path)
        assert ast.get_docstring(tree), f"{path} does not say what it is for"
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith(
                "_"
            )
            if public and "testing.py" not in path.name:
                assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"


def test_commands_are_operations():
    from aetool import operations
    from aetool.cli import COMMANDS

    own = {"plugins", "demo", "doctor"}
    assert set(COMMANDS) - own <= set(operations.__all__)


def test_a_verb_stands_in_files_of_one_name():
    """Who knows the file of a command finds the function that it calls in one called alike."""
    from aetool import operations
    from aetool.cli import COMMANDS

    for verb, (file, _) in COMMANDS.items():
        if verb in operations.__all__:
            home = getattr(operations, verb).__module__
            assert home.rpartition(".")[2] == file, f"{verb}: cli/{file}.py and {home}"


def test_verbs_do_not_import_one_another():
    """What several need stands in a room above, such as `archives` and `scoring`."""
    for path in (ROOT / "operations").glob("*.py"):
        if path.stem == "__init__":
            continue
        for node in ast.walk(tree_of(path)):
            names = set()
            if isinstance(node, ast.ImportFrom) and node.module == "aetool.operations":
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                room, _, name = node.module.rpartition("aetool.operations.")
                names = {name} if not room and name != node.module else set()
            assert not names, f"{path.name} imports {names}"


def names_of_kinds(path):
    """(line, kind) of each comparison of something with the name of a kind of columns, and of each
    look for it among several."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
            if any(isinstance(part, ast.Attribute) and part.attr == "kind" for part in compared):
                for part in compared:
                    for word in ast.walk(part):
                        if isinstance(word, ast.Constant) and word.value in KINDS:
                            yield node.lineno, word.value
        if isinstance(node, ast.Match) and ast.unparse(node.subject).endswith(".kind"):
            yield node.lineno, "match"


def test_a_kind_of_columns_is_told_by_its_class_alone():
    """A new kind is one file: nobody else asks a column for the name of its kind."""
    for path in [*ROOT.rglob("*.py"), *(ROOT.parent / "plugins").rglob("*.py")]:
        if path.parent != ROOT / "columns":
            assert not list(names_of_kinds(path)), f"{path} branches on a kind of columns"


def test_a_kind_is_named_in_its_own_file_alone():
    room = ROOT / "columns"
    for kind in KINDS.values():
        own = Path(inspect.getfile(kind))
        for path in room.glob("*.py"):
            if path not in (own, room / "kinds.py"):
                assert not list(names_of_kinds(path)), f"{path} branches on a kind of columns"


CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "sleep"}


def test_no_test_waits_or_trains_by_the_clock():
    """Steps, lines and calls are counted instead; --max-time itself is tested on a clock that the
    test moves, by a test whose name says so. The speeds that test_gpu prints are judged by nobody."""
    for path in Path(__file__).parent.glob("*.py"):
        for function in ast.walk(tree_of(path)):
            if not isinstance(function, ast.FunctionDef) or "max_time" in function.name:
                continue
            for node in ast.walk(function):
                where = f"{path.name}: {function.name}"
                if isinstance(node, ast.Call) and path.name != "test_gpu.py":
                    module, _, name = ast.unparse(node.func).rpartition(".")
                    assert module != "time" or name not in CLOCKS, f"{where} reads a clock"
                elif isinstance(node, ast.keyword) and node.arg == "max_time":
                    assert isinstance(node.value, ast.Name), f"{where} trains by the clock"
                elif isinstance(node, ast.Constant):
                    assert node.value != "--max" + "-time", f"{where} trains by the clock"
