"""Remembers which code has passed its dry run, so that the same code is not tried again.

What is remembered are digests, in a file of the user's cache folder. Anyone's code is in them
alike: every Python file of the author's package, those of this one that a dry run goes through, the
versions of what they run on, the parameters, and the kind of data. A file that cannot be read or
written is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from aetool.model import Spec
from aetool.rehearsal.faults import Author

HOME = Path(__file__).parent.parent
OWN_CODE = ("nn", "rehearsal", "export.py", "graphs", "runtime.py", "closed_form", "model.py")
RUN_ON = ("torch", "onnx", "onnxscript", "onnxruntime", "numpy")
MOST_REMEMBERED = 2000  # digests; when there are more, the older half is forgotten

_this_process: set[str] = set()


def key_of(author: Author, params: object, spec: Spec) -> str:
    """A digest of everything that the result of a rehearsal depends on: the code of author and
    host, their versions, the parameters, and which kinds of features the layout of the data has,
    without their sizes. Hex. OSError for a file of the code that cannot be read."""
    digest = hashlib.sha256()
    for version in (sys.version, *map(_version, RUN_ON)):
        digest.update(version.encode())
    for place in (*(HOME / name for name in OWN_CODE), *sorted(author.places)):
        digest.update(_source_digest(place))
    # a member may be replaced while a process runs, as tests do
    digest.update(f"{author.author_class.__module__}:{author.author_class.__qualname__}".encode())
    digest.update(repr(params).encode())
    kinds_of_features = [
        spec.shape is None,
        bool(spec.flags),
        bool(spec.categories),
        bool(spec.given),
    ]
    kinds_of_features.append(bool(spec.conditions))
    kinds_of_features += [bool(spec.curved.any()), len(spec.numeric) > 0]
    digest.update(repr(kinds_of_features).encode())
    return digest.hexdigest()


def has(key: str) -> bool:
    """Whether a rehearsal with this digest has passed before, in this process or an earlier one."""
    return key in _this_process or key in _lines()


def remember(key: str) -> None:
    """Note that a rehearsal with this digest, `key`, has passed, for this process and later ones,
    in a file of the user's cache folder; for this one alone where that cannot be written. Of 2,000
    digests in the file the older half is dropped first."""
    _this_process.add(key)
    lines = _lines()
    if key in lines:
        return
    if len(lines) >= MOST_REMEMBERED:
        lines = lines[MOST_REMEMBERED // 2 :]
    path = _file()
    part = path.with_name(f"{path.name}.{os.getpid()}")
    # a home that cannot be written to costs time at the next fit, and nothing else
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("\n".join([*lines, key]) + "\n", encoding="ascii", newline="\n")
        part.replace(path)


def _file() -> Path:
    """The file in the user's cache folder that lists the digests, one a line; it need not be
    there."""
    folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(folder).expanduser() / "aetool" / "rehearsed"


def _lines() -> list[str]:
    """The digests in the file, the oldest first; none where it cannot be read."""
    try:
        return _file().read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


@cache
def _source_digest(place: Path) -> bytes:
    """A digest of all Python files in a package's folder and below, or of one file; looked at once
    in a process. OSError for a file that cannot be read."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.digest()


@cache
def _version(package: str) -> str:
    """The installed version of a package; "none" if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
