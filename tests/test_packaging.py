"""What surrounds the program: metadata, front page, workflows and documents say what is so."""

import ast
import fnmatch
import importlib.util
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import aetool
from tests import conftest
from tests.test_portability import calls_of_few_systems

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


def read_yaml(name):
    """A YAML file of the project."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def front_page(*arguments):
    """README as setup.py hands it to a package index."""
    spec = importlib.util.spec_from_file_location("setup_of_aetool", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.front_page(*arguments)


# ---- metadata


def test_metadata_say_who_what_and_for_whom():
    project = PROJECT["project"]
    assert project["authors"] == [{"name": "aetool developers"}]
    assert project["version"] == aetool.__version__
    assert "urls" not in project, "none is real"
    assert all((ROOT / path).is_file() for path in project["license-files"])
    newest = max(
        int(line.rpartition(".")[2])
        for line in project["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    )
    assert sys.version_info[:2] <= (3, newest), "this Python is not among the classifiers"


def test_every_licence_of_bundled_data_is_told():
    told = (ROOT / "aetool" / "demo" / "LICENSES.txt").read_text(encoding="utf-8")
    data = {path.name for path in (ROOT / "aetool" / "demo").iterdir()} - {"LICENSES.txt"}
    assert data == {line for line in told.splitlines() if re.fullmatch(r"\w+\.(csv|npz)", line)}
    for licence, words in {"MIT": "The MIT License", "CC-BY-4.0": "CC BY 4.0"}.items():
        assert licence in PROJECT["project"]["license"] and words in told


def test_every_file_of_the_package_is_in_its_wheel():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["aetool"]
    for path in (ROOT / "aetool").rglob("*"):
        name = path.relative_to(ROOT / "aetool").as_posix()
        if path.is_dir() or path.suffix in (".py", ".pyc", ".so", ".pyd", ".c", ".h"):
            continue
        assert any(
            fnmatch.fnmatch(name, pattern) and name.count("/") == pattern.count("/")
            for pattern in patterns
        ), f"{name} is in no wheel"


def test_groups_of_development_are_what_make_installs():
    groups = PROJECT["dependency-groups"]
    assert set(re.findall(r"\$\(call GROUP,(\w+)\)", MAKEFILE)) == set(groups)
    assert not set(groups) & set(PROJECT["project"]["optional-dependencies"])
    extras = set(re.findall(r"\.\[([\w,]+)\]", MAKEFILE))
    assert {name for extra in extras for name in extra.split(",")} <= set(
        PROJECT["project"]["optional-dependencies"]
    )


# ---- the front page


@pytest.mark.parametrize("repository", ["", "https://example.org/aetool/"])
def test_the_front_page_has_no_link_that_an_index_cannot_follow(repository):
    page = front_page(README, repository)
    targets = MARKDOWN_LINK.findall(re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S))
    assert all(target.startswith("https://") for target in targets)
    assert (f"]({repository}aetool/codec/FORMAT.md)" in page) == bool(repository)
    assert (f"![Bytes of a record against error, of each way to store it]({repository}" in page) == bool(repository)  # fmt: skip


def test_the_front_page_keeps_words_and_code():
    given = "See [the *format*](F.md#a) and [a site](https://a.org/b).\n\n![A map](m.png)\n```\n[x](y)\n```\n"
    assert front_page(given) == (
        "See the *format* and [a site](https://a.org/b).\n\n*(picture: A map)*\n```\n[x](y)\n```\n"
    )
    with_home = front_page(given, "https://h.org/")
    assert "[the *format*](https://h.org/F.md#a)" in with_home
    assert "![A map](https://h.org/m.png)" in with_home


DOCUMENTS = ("README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md", "aetool/ARCHITECTURE.md", "aetool/docs/COURSE.md", "plugins/README.md")  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in MARKDOWN_LINK.findall(re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        path, _, _ = target.partition("#")
        if path and not target.startswith("http"):
            assert ((ROOT / name).parent / path).exists(), target


# ---- documents


def test_documents_speak_of_this_version():
    changelog = (ROOT / "aetool" / "docs" / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    citation = read_yaml("CITATION.cff")
    assert first[1] == citation["version"] == aetool.__version__
    assert citation["authors"] == [{"name": "aetool developers"}]
    assert {"cff-version", "message", "title", "type"} <= citation.keys()


def test_documents_name_what_make_can_do():
    said = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    goals = set(re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE))
    for goal in re.findall(r"make (\w+)", re.sub(r"is no `make`", "", said)):
        assert goal in goals, f"make {goal}"


# ---- workflows


def steps(workflow):
    """(job, each of its steps)."""
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            yield job, step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_well_formed(path):
    workflow = read_yaml(path)
    assert {"name", True, "jobs", "permissions"} <= workflow.keys(), "YAML reads `on` as true"
    assert workflow["permissions"] == {"contents": "read"}, "no job needs to write"
    for job, step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "a/a@v1"))
        used = set(re.findall(r"matrix\.(\w+)", str(step) + str(job["runs-on"])))
        matrix = job.get("strategy", {}).get("matrix", {})
        known = set(matrix) | {key for one in matrix.get("include", []) for key in one}
        assert used <= known
        if step.get("run", "").startswith("make "):
            assert re.search(rf"^{step['run'].split()[1]}:", MAKEFILE, re.MULTILINE)


def test_the_suite_runs_on_every_system_as_make_runs_it():
    workflow = read_yaml(".github/workflows/tests.yml")
    matrix = workflow["jobs"]["suite"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert f">={matrix['python'][0]}" == PROJECT["project"]["requires-python"]
    (ours,) = (
        line for line in MAKEFILE.splitlines() if "pytest -n auto" in line and "stress" not in line
    )
    (theirs,) = (
        step["run"] for _, step in steps(workflow) if "pytest -n auto" in step.get("run", "")
    )
    assert shlex.split(theirs)[1:] == shlex.split(ours)[1:]


def test_wheels_are_made_for_every_system():
    workflow = read_yaml(".github/workflows/wheels.yml")
    systems = {
        one["os"].partition("-")[0]
        for one in workflow["jobs"]["wheels"]["strategy"]["matrix"]["include"]
    }
    assert systems == {"ubuntu", "macos", "windows"}
    settings = PROJECT["tool"]["cibuildwheel"]
    assert settings["build"] == "cp311-*", "the limited API makes one wheel for all later versions"
    for kind in ("manylinux_x86_64", "musllinux_x86_64", "macosx_arm64", "win_amd64"):
        assert not any(fnmatch.fnmatch(f"cp311-{kind}", pattern) for pattern in settings["skip"])
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert '"py_limited_api": "cp311"' in setup
    assert "#define Py_LIMITED_API 0x030B0000" in (ROOT / "aetool/codec/_kernel.c").read_text(
        "utf-8"
    )


def test_hooks_before_a_commit_are_those_of_make_lint():
    hooks = [hook for one in read_yaml(".pre-commit-config.yaml")["repos"] for hook in one["hooks"]]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy"]
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    for hook in hooks:
        words = hook["entry"].removeprefix(".venv/bin/").split()
        assert " ".join(word for word in words if word != "--force-exclude") in lint


def test_what_windows_cannot_run_is_known():
    """A test that forks, or that makes pipes with names, is not collected there."""
    needing = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        needed = set(calls_of_few_systems(ast.parse(text))) - {"os.utime"}
        if needed or "from tests.forked import" in text:
            needing.add(path.name)
    assert needing - {"test_portability.py", Path(__file__).name} == set(conftest.NOT_ON_WINDOWS)
