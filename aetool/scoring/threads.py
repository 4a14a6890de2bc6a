"""Scores a large table with several threads of this process, where no engine was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aetool import engine as engines
from aetool import system
from aetool.bundle import Bundle
from aetool.data import pieces
from aetool.data.chains import ChainSource
from aetool.data.table_source import TableSource
from aetool.runtime import Session
from aetool.scoring.inputs import Source

LARGE = 4 << 20  # bytes of a table's files: below, one thread has done before others pay
MOST_THREADS = 4  # each holds a piece of the table, and a graph's values


@contextmanager
def engine_for(
    chosen: engines.Chosen,
    source: Source,
    bundle: Bundle,
    graph: object,
) -> Iterator[engines.Engine | None]:
    """Context manager: the engine with which to score a source: the one that the user chose, or
    else threads if the source is a table in files of 4 MiB or more that can be read in pieces, the
    model needs no rows before each, and a processor computes; else None. Results are the same.

    chosen: what the user chose, None for nothing; bundle: the model; graph: the session of it that
    is run on the records. Raises ParamError and EngineError where engine.opened does.
    """
    if chosen is None:
        threads = _threads_for(source, bundle, graph)
        if threads > 1:
            chosen = f"threads:{threads}"
    with engines.opened(chosen) as engine:
        yield engine


def _threads_for(source: Source, bundle: Bundle, graph: object) -> int:
    """The number of threads that make scoring a source faster, at most 4 and no more than there are
    cores: 1 where it is small, or cannot be read in pieces at once, where a row needs those before
    it, or where something else than a processor computes."""
    if not isinstance(source, TableSource):
        return 1
    if not isinstance(graph, Session) or graph.device != "cpu":
        return 1
    # pieces whose rows need those before them are read twice
    if bundle.schema is not None and bundle.schema.context:
        return 1
    if sum(path.stat().st_size for path in _files_of(source)) < LARGE:
        return 1
    if pieces.pieces_of(source) is None:
        return 1
    return min(MOST_THREADS, system.usable_cores())


def _files_of(source: TableSource) -> Sequence[Path]:
    """The files that a table is read from, in order; empty for a table in memory. Of standard input
    or a pipe it is the temporary copy that was made of it. Parts of a chain that are no files are
    left out."""
    sources = source.sources if isinstance(source, ChainSource) else [source]
    paths = [getattr(part, "path", None) for part in sources]
    return [path for path in paths if isinstance(path, Path) and path.is_file()]
