"""What authors of plugins are given: a package to begin with, and a reference of every hook."""

from __future__ import annotations

import ast
import keyword
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template

from aetool import plugins
from aetool.errors import DataError, ParamError
from aetool.spelling import option

HOME = Path(__file__).parent.parent
FILES = {  # in the template: in the package
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "test.py": "tests/test_{name}.py",
}
OF_NETWORK = {"init.py": "aetool_{name}/__init__.py", "net.py": "aetool_{name}/net.py"}
OF_CLOSED_FORM = {
    "closed_init.py": "aetool_{name}/__init__.py",
    "closed_net.py": "aetool_{name}/net.py",
}
REFERENCE = (  # file, what of it: all public functions, or these functions and classes
    ("hookspecs.py", ()),
    ("model.py", ("Model", "Member", "Reader", "NetParams", "Continuous", "Discrete", "Spec")),
    ("nn/autoencoder.py", ("AutoEncoder", "Stacked")),
    ("nn/likelihood.py", ("Likelihood",)),
    ("nn/backbones.py", ("backbone",)),
    ("closed_form/solution.py", ("Batches", "Solution", "ClosedForm")),
    ("closed_form/builder.py", ("Value", "Builder")),
    ("closed_form/costs.py", ()),
    ("closed_form/blocks.py", ()),
    ("closed_form/covariance.py", ("Moments", "moments", "mostly_one")),
    ("closed_form/leading.py", ("Leading", "leading")),
    ("closed_form/writing.py", ("evaluated",)),
)


def new(name: str, folder: Path, closed_form: bool = False) -> Path:
    """Write a Python package, a plugin with a small working model, as a folder aetool-NAME inside
    `folder`; returns the path of the package.

    closed_form: whether the model is one that is solved in numpy, else a network, which only torch
    can fit.

    ParamError for a name that is not of lower-case letters, digits and _ (41 at most, a letter
    first), is a word of Python's own, or that an installed plugin has; DataError if the package is
    there already, or the folder is not there or cannot be written to; PluginError where two
    installed packages claim one name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) or keyword.iskeyword(name):
        raise ParamError(
            f"a plugin's name is lower-case letters, digits and _, such as smooth2; got '{name}'"
        )
    if name in plugins.available():
        raise ParamError(f"a plugin '{name}' is installed already; choose another name")
    target = folder_of(name, folder)
    if target.exists():
        raise DataError(
            f"{target}: exists already; choose another name or folder with {option('-o')}"
        )
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder to write to; make it first, with mkdir")
    # under another name until it is complete
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=folder))
    except OSError as error:
        raise DataError(f"{folder}: cannot write here: {error.strerror}") from None
    try:
        for template_file, path_in_package in (
            FILES | (OF_CLOSED_FORM if closed_form else OF_NETWORK)
        ).items():
            text = Template(
                (HOME / "template" / f"{template_file}.txt").read_text(encoding="utf-8")
            )
            file = unfinished / path_in_package.format(name=name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.substitute(name=name), encoding="utf-8", newline="\n")
        # a temporary folder is closed to other users
        unfinished.chmod(0o755)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def folder_of(name: str, folder: Path) -> Path:
    """The path of the package that `new` writes for a plugin of this name: folder/aetool-NAME."""
    return folder / f"aetool-{name}"


def uninstalled(name: str, folder: Path) -> Path | None:
    """Return the path of a plugin's package that `new` has written into `folder` for this name, and
    that is not installed yet; None if there is none. PluginError where two installed packages claim
    one name."""
    package = folder_of(name, folder)
    is_there = (package / "pyproject.toml").is_file()
    if is_there and name not in plugins.available():
        return package
    return None


def reference() -> str:
    """The reference for authors of plugins, in Markdown: every hook, class and function that they
    deal with, from its signature and docstring."""
    lines = ["# Reference for plugin authors", ""]
    lines += ["Written by `aetool plugins reference`, from the code itself.", ""]
    for path, wanted_names in REFERENCE:
        tree = ast.parse((HOME / path).read_text(encoding="utf-8"))
        module = "aetool." + path.removesuffix(".py").replace("/", ".")
        lines += [f"## {module}", "", ast.get_docstring(tree) or "", ""]
        for node in tree.body:
            # no names after a file: all its public functions
            is_public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if (
                isinstance(node, ast.FunctionDef)
                and is_public
                and (not wanted_names or node.name in wanted_names)
            ):
                lines += [f"### {node.name}", "", *_lines_of_function(node)]
            elif isinstance(node, ast.ClassDef) and node.name in wanted_names:
                lines += [f"### {node.name}", "", ast.get_docstring(node) or "", ""]
                lines += list(_lines_of_members(node))
    return "\n".join(lines).rstrip() + "\n"


def _lines_of_members(node: ast.ClassDef) -> Iterator[str]:
    """Yield the lines of Markdown for a class: its fields as code, then each public method."""
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
    if fields:
        yield from ("```python", *(ast.unparse(n) for n in fields), "```", "")
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            yield from _lines_of_function(member)


def _lines_of_function(node: ast.FunctionDef) -> Iterator[str]:
    """Yield the lines of Markdown for a function: its signature as code, then its docstring."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    yield from ("```python", f"def {node.name}({ast.unparse(node.args)}){result}", "```", "")
    yield from (ast.get_docstring(node) or "", "")
