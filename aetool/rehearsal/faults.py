"""Errors for authors of plugins: whose code is at fault, at which line, and what is wrong."""

from __future__ import annotations

import difflib
import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import TypeVar

import numpy as np

from aetool.errors import AetoolError, PluginError
from aetool.model import Model

LONGEST_REASON = 160  # characters of another library's message that are passed on
NEAR = 0.72  # likeness (difflib) from which a name that nobody uses is taken for a misspelt member
NONE: Mapping[str, tuple[str, ...]] = {}


Result = TypeVar("Result")


class Author:
    """The code that is tried: an author's class, and the host's base class that it derives from.
    Makes errors that name the author's file and line. `own_classes`: the author's class and its
    bases up to host_class, without those of aetool; `places`: the folders of their packages."""

    def __init__(self, model: Model, author_class: type, host_class: type) -> None:
        """Find the author's own classes and files. author_class: derived from host_class, the
        host's (AutoEncoder, ClosedForm or Solution)."""
        self.model = model
        self.author_class = author_class
        self.host_class = host_class
        # all that lies below the host's class in the order of inheritance
        bases = author_class.__mro__
        self.own_classes = bases[: bases.index(host_class)]
        self.own_classes = tuple(c for c in self.own_classes if _package(c) != "aetool")
        modules = [sys.modules.get(c.__module__) for c in self.own_classes]
        files = [Path(m.__file__) for m in modules if getattr(m, "__file__", None)]  # type: ignore[union-attr, arg-type]
        # a module of a package stands for all of that package, a lone module for itself
        self.places = {_package_folder(c, f) for c, f in zip(self.own_classes, files, strict=False)}

    def wrote(self, member: str) -> bool:
        """Whether the author's class, or one outside of aetool that it derives from, defines this
        member, so that it is not inherited from the host."""
        return any(member in vars(c) for c in self.own_classes)

    def place(self, member: str) -> str:
        """Where a member is defined, such as "Class.member (package/file.py:12)"; "Class.member"
        alone for one that is no function of the author's classes."""
        for own_class in self.own_classes:
            function = inspect.unwrap(vars(own_class).get(member, None) or _nothing)
            code = getattr(function, "__code__", None)
            if code is not None and function is not _nothing:
                return f"{own_class.__name__}.{member} ({self._file_and_line(code)})"
        return f"{self.author_class.__name__}.{member}"

    def _file_and_line(self, code: CodeType, number: int = 0) -> str:
        """The text "package/file.py:12" for a line of the file in which a function is defined; the
        path begins at the author's package if the file is in it. number: the line in the file, from
        1; 0 means the line on which the function begins. code: the function's."""
        number = number or code.co_firstlineno
        file = Path(code.co_filename)
        for root in self.places:
            if file.is_relative_to(root):
                file = file.relative_to(root.parent)
        return f"{file.as_posix()}:{number}"

    def _function_and_line(self, code: CodeType, number: int) -> str:
        """Return the text "Class.member (package/file.py:12)": a function's name, of one defined
        within another the outer one's, and a line of its file. code: the function's; number: the
        line in the file; 0 means the line on which the function begins."""
        return f"{code.co_qualname.partition('.<locals>')[0]} ({self._file_and_line(code, number)})"

    def is_own(self, filename: str) -> bool:
        """Whether a file, by its path, belongs to the package of the author."""
        return any(Path(filename).is_relative_to(root) for root in self.places)

    def line_of(self, error: BaseException) -> str:
        """The line of the author's files at which an exception, or its cause, arose, such as
        "Class.member (package/file.py:12)"; "" if it arose in no such file."""
        cause: BaseException | None = error
        line = ""
        while cause is not None:
            trace = cause.__traceback__
            while trace is not None:
                if self.is_own(trace.tb_frame.f_code.co_filename):
                    line = self._function_and_line(trace.tb_frame.f_code, trace.tb_lineno)
                trace = trace.tb_next
            cause = cause.__cause__ or cause.__context__
        return line

    def line_now(self) -> str:
        """The innermost line of the author's files that is running now, as line_of gives it; "" if
        none is."""
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            if self.is_own(frame.f_code.co_filename):
                return self._function_and_line(frame.f_code, frame.f_lineno)
            frame = frame.f_back
        return ""

    def fault(self, member: str, words: str, line: str = "") -> PluginError:
        """Return a PluginError about a member of the author's class. words: what the sentence says
        behind the member's name.

        The message begins with the place of the member; where the author's class inherits it, with
        the place of build, which has made the layers it uses. line: another place to begin with.
        """
        if line:
            place = line
        elif self.wrote(member) or not self.wrote("build"):
            place = self.place(member)
        else:
            place = f"{self.place('build')} made a network whose {member}"
        return PluginError(f"{self.model.name}: {place} {words}")

    def raised(self, member: str, error: BaseException) -> PluginError:
        """Return a PluginError that says which exception a member raised, and at which of the
        author's lines; of a parameter that is not there, how to declare it."""
        words = f"raised {type(error).__name__}: {first_line(error)}"
        parameters = getattr(error, "obj", None)
        if isinstance(error, AttributeError) and isinstance(parameters, self.model.Params):
            words = (
                f"reads params.{error.name}, which {type(parameters).__name__} does not have; give "
                "Model a Params class that has it (those of a network derive from NetParams)"
            )
        return self.fault(member, words, self.line_of(error))

    def check_names(self) -> None:
        """Raise PluginError for a public method of the author's classes that is no member of the
        host's, whose name is nearly that of one, and that no code of the author's classes, nor
        any function of their modules, uses: it is probably misspelt. Class methods and properties
        are not judged."""
        members = [n for n in vars(self.host_class) if not n.startswith("_")]
        for name, function in self._own_functions():
            # whoever calls a helper of his own has not misspelt it
            if hasattr(self.host_class, name) or name.startswith("_") or self._is_used(name):
                continue
            near = difflib.get_close_matches(name, members, 1, NEAR)
            if near:
                line = self._file_and_line(function.__code__)
                place = f"{self.author_class.__name__}.{name} ({line})"
                raise PluginError(
                    f"{self.model.name}: {place} is called by nobody: {name} is no member of "
                    f"{self.host_class.__name__}; did you mean {near[0]}?"
                )

    def check_calls(
        self,
        calls: Mapping[str, int],
        optional: Mapping[str, tuple[str, ...]] = NONE,
    ) -> None:
        """Raise PluginError for a member that cannot be called with the arguments that the host
        passes.

        calls: the number of arguments beside self, by member. optional: by member, the names of
        arguments that are passed only to members that have them. Members that the author did not
        write as plain methods are passed over.
        """
        for member, count in calls.items():
            if not self.wrote(member):
                continue
            function = inspect.getattr_static(self.author_class, member)
            if not isinstance(function, FunctionType):
                continue
            signature = inspect.signature(function)
            optional_names = optional.get(member, ())
            optional_values = {
                name: None for name in optional_names if name in signature.parameters
            }
            # any values will do, the first of which stands for self
            try:
                signature.bind(*range(count + 1), **optional_values)
            except TypeError:
                host_signature = inspect.signature(getattr(self.host_class, member))
                names = ", ".join([*host_signature.parameters][: count + 1])
                may_have = (
                    f", and may have {' and '.join(optional_names)}" if optional_names else ""
                )
                raise self.fault(
                    member,
                    f"is declared {member}{_without_annotations(signature)}; "
                    f"it is called as {member}({names}){may_have}",
                ) from None

    def _own_functions(self) -> Iterator[tuple[str, FunctionType]]:
        """Yield every method that the author's classes define as a function, static methods among
        them: (its name, the function). Class methods and properties are left out."""
        for own_class in self.own_classes:
            for name, value in vars(own_class).items():
                function = inspect.unwrap(value) if callable(value) else value
                if isinstance(function, FunctionType):
                    yield name, function

    def _is_used(self, name: str) -> bool:
        """Whether any function right in the author's modules, or method of the author's classes,
        uses this name; properties and class methods count as methods. Other classes of the modules
        are not looked into."""
        modules = [sys.modules[c.__module__] for c in self.own_classes]
        codes = [
            f.__code__ for m in modules for f in vars(m).values() if isinstance(f, FunctionType)
        ]
        for own_class in self.own_classes:
            for value in vars(own_class).values():
                # what a property or a class method calls is called, too
                codes += [function.__code__ for function in _functions_behind(value)]
        return any(name in _names_in(code) for code in codes)


def guarded(author: Author, member: str, call: Callable[[], Result]) -> Result:
    """Call a member of the author's class and return its result; PluginError if it raises, or draws
    from a global random generator (numpy, random or torch). Warnings are not shown. member: its
    name, for messages; call: without arguments.

    AetoolErrors pass unchanged: they are meant for the user.
    """
    import warnings

    states_before = _global_states()
    # a warning of a library would stand before the error, and say less
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
    except AetoolError:
        raise
    except Exception as error:
        raise author.raised(member, error) from error
    for library, state in _global_states().items():
        if state != states_before.get(library, state):
            raise author.fault(
                member,
                f"drew random numbers from the global generator of {library}; only the generator "
                "that is passed in may be drawn from: torch.randn(..., generator=rng)"
                if library == "torch"
                else f"drew random numbers from the global generator of {library}; use "
                "numpy.random.default_rng(seed)",
            )
    return result


def kind_of(value: object) -> str:
    """A value's type with its article, for messages: "an int", "a Tensor"; of None that nothing
    came back."""
    if value is None:
        return "nothing (is a return missing?)"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, of more than 160 characters the first 160 and
    "..."; "no reason given" for an empty message."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    line = lines[0].strip()
    if len(line) <= LONGEST_REASON:
        return line
    return line[:LONGEST_REASON] + "..."


def _global_states() -> dict[str, object]:
    """The states of the global random generators by the name of their library: numpy, random and,
    if it is imported, torch; to be compared with one another."""
    state = np.random.get_state(legacy=False)
    states: dict[str, object] = {"numpy": _comparable(state), "random": random.getstate()}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return states


def _comparable(state: object) -> object:
    """A state of numpy's generator, a dict of numbers, arrays and dicts, with the bytes of an array
    in its place, which `==` compares as a whole. As text its hundreds of numbers would take a
    thousandth of a second, and a dry run asks hundreds of times."""
    if isinstance(state, dict):
        return {name: _comparable(part) for name, part in state.items()}
    if isinstance(state, np.ndarray):
        return state.tobytes()
    return state


def _nothing() -> None:
    """Does nothing: stands for a member that an author's class does not have."""


def _package(owner: type) -> str:
    """The name of the top-level package in which a class is defined."""
    return owner.__module__.partition(".")[0]


def _package_folder(own_class: type, file: Path) -> Path:
    """The folder of the package in which a class is defined; its file, for a module outside of
    packages. file: of the module."""
    depth = own_class.__module__.count(".")
    if file.name == "__init__.py":
        depth += 1
    return file.parents[depth - 1] if depth else file


def _without_annotations(signature: inspect.Signature) -> str:
    """The text of a signature without annotations, such as "(self, x, k=2)"."""
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _functions_behind(value: object) -> Iterator[FunctionType]:
    """Yield the functions that an attribute of a class stands for: a function itself; of a property
    its getter, setter and deleter; of a class method, a cached property or a decorated function
    what it wraps. Nothing of any other value."""
    parts: list[object] = [value]
    if isinstance(value, property):
        parts = [value.fget, value.fset, value.fdel]
    elif isinstance(value, cached_property):
        parts = [value.func]
    elif isinstance(value, classmethod):
        parts = [value.__func__]
    for part in parts:
        function = inspect.unwrap(part) if callable(part) else part
        if isinstance(function, FunctionType):
            yield function


def _names_in(code: CodeType) -> set[str]:
    """Every name that the code of a function uses, functions inside it included."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
