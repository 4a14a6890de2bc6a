"""Is a lossy archive ever dominated? What `compress --lossy` writes, beside archives written apart.

For each table (its first rows, 20,000 by default), plugin (defaults; fitted on those rows) and error level
(--target-error at multiples of the error that the code reaches by itself) four archives are written:
by --lossy, by --lossy-only, exact, and bounded, the last with bounds searched here so that no column's
root mean squared error is above that of what --lossy wrote. All are decompressed and measured with
pandas. A point breaks the law if --lossy wrote more bytes than the exact or the bounded archive, or
restores any column worse than the code alone does. Archives refer to the model (--no-embed).
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.bundle import Bundle
from aetool.codec.kept import keeping
from aetool.errors import ParamError
from aetool.operations import CompressOptions, FitOptions

TABLES = "adult,beijing_air,cmapss,covtype20k,credit,kdd99"
PLUGINS = "pca,ae,sparse,denoising,vae"
LEVELS = (1.02, 1.3, 1.7, 2.3, 3.0)  # times the error that the code reaches by default
ROWS = 20_000
ROUNDS, WIDENING = 5, 2  # of the search for bounds, which are widened in the first of them
EQUAL = 1 + 1e-9  # errors are printed and read again

Errors = dict[str, float]


def cut(source: Path, target: Path, rows: int) -> Path:
    """The header and the first rows of a table, as their bytes."""
    with source.open("rb") as file:
        target.write_bytes(b"".join(itertools.islice(file, rows + 1)))
    return target


def levels_of(count: int | None) -> tuple[float, ...]:
    """Error levels, as multiples of the error that the code reaches by default, ascending: LEVELS,
    or `count` of equal ratios over the same range."""
    if count is None:
        return LEVELS
    return tuple(np.geomspace(LEVELS[0], LEVELS[-1], count).round(4).tolist())


def errors_of(original: pd.DataFrame, archive: Path, model: Bundle | None) -> Errors:
    """Decompress an archive and measure its error by column: of numbers the root mean squared
    error, of others the part restored wrongly."""
    restored = operations.decompress(archive, archive.with_suffix(".csv"), model=model, force=True)
    back = pd.read_csv(restored, low_memory=False)
    assert back.shape == original.shape, f"{archive}: {back.shape} for {original.shape}"
    back.columns = original.columns  # a column without a name is given one by the code's archive
    errors = {}
    for name in original:
        a, b = original[name], back[name]
        if pd.api.types.is_numeric_dtype(a) and not pd.api.types.is_bool_dtype(a):
            b = b.astype(float)
            assert (a.isna() == b.isna()).all(), f"{archive}: gaps of {name}"
            errors[name] = float(np.sqrt(np.square(a - b).mean())) if a.notna().any() else 0.0
        else:
            same = (a == b) | (a.isna() & b.isna())
            errors[name] = float((~same).mean())
    return errors


def no_worse(errors: Errors, limits: Errors) -> bool:
    """Whether the error of every column is within its limit."""
    return all(errors[name] <= limits[name] * EQUAL for name in limits)


def bounded(data: Path, original: pd.DataFrame, limits: Errors, folder: Path) -> int | None:
    """Search the bounds for --max-error that make the smallest archive whose errors are within the
    limits, and return its bytes; None without one."""
    numbers = [n for n in limits if pd.api.types.is_numeric_dtype(original[n])]
    bounds = {n: 3**0.5 * limits[n] for n in numbers if limits[n] > 0}
    smallest = None
    for turn in range(ROUNDS if bounds else 0):
        target = folder / "bounded.aez"
        words = {n: repr(e) for n, e in bounds.items()}
        facts = operations.compress(
            data, target, None, CompressOptions(max_error=words, force=True)
        )
        errors = errors_of(original, target, None)
        if no_worse(errors, limits):
            smallest = min(smallest or sys.maxsize, facts["archive_bytes"])
            if turn >= WIDENING:  # nothing changes any more
                break
        for name in list(bounds):
            ratio = limits[name] / errors[name] if errors[name] else 1.25
            if ratio * EQUAL >= 1:
                bounds[name] *= min(ratio, 1.25) if turn < WIDENING else 1
            elif turn < ROUNDS - 2:
                bounds[name] *= 0.98 * max(ratio, 0.5)
            else:  # no bound was found: the last archive has this column exactly
                del bounds[name]
    return smallest


def point(
    data: Path, original: pd.DataFrame, model: Bundle, target: float, exact: int, folder: Path
) -> dict[str, object]:
    """One measured point."""
    errors: dict[str, Errors] = {}
    bytes_of: dict[str, int] = {}
    figures: dict[str, dict[str, Any]] = {}
    for name, only in (("lossy", False), ("code", True)):
        archive = folder / f"{name}.aez"
        if only and figures["lossy"]["taken"] == "code":  # the same archive again
            bytes_of[name], errors[name], figures[name] = (
                d["lossy"] for d in (bytes_of, errors, figures)
            )
            continue
        options = CompressOptions(
            lossy=True, lossy_only=only, target=target, embed=False, force=True
        )
        figures[name] = operations.compress(data, archive, model, options)
        bytes_of[name] = archive.stat().st_size
        errors[name] = errors_of(original, archive, model)
    other = bounded(data, original, errors["lossy"], folder)
    rivals = [size for size in (exact, other) if size is not None]
    larger = bytes_of["lossy"] > min(rivals)
    worse = not no_worse(errors["lossy"], errors["code"])
    return {
        "target": target,
        "code_error": figures["code"]["error"],
        "taken": figures["lossy"]["taken"],
        "bytes": bytes_of["lossy"],
        "code_bytes": bytes_of["code"],
        "exact_bytes": exact,
        "bounded_bytes": other,
        "prices": figures["lossy"]["prices"],
        "rms": errors["lossy"],
        "code_rms": errors["code"],
        "larger": larger,
        "worse": worse,
    }


def main() -> int:
    """Run, print and record; returns how many points break the law."""
    parser = common.parser(__doc__)
    parser.add_argument("--tables", default=TABLES)
    parser.add_argument("--plugins", default=PLUGINS)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each table, from its first on")
    parser.add_argument("--levels", type=int, help=f"how many error levels (default: {LEVELS})")
    parser.add_argument("--max-time", type=float, help="seconds of each fit")
    options = parser.parse_args()
    print("| table | plugin | level | taken | bytes | code | exact | bounded | law |")
    print("|---|---|--:|---|--:|--:|--:|--:|---|")
    broken = 0
    for table in options.tables.split(","):
        source = common.need(options.data / "tables" / f"{table}.csv")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = cut(source, folder / f"{table}.csv", options.rows)
            original = pd.read_csv(data, low_memory=False)
            exact = operations.compress(data, folder / "exact.aez")["archive_bytes"]
            for plugin in options.plugins.split(","):
                for seed in range(options.seeds):
                    fit = FitOptions(plugin, max_time=options.max_time, seed=seed)
                    model = operations.fit(data, fit)
                    code = CompressOptions(lossy_only=True, embed=False, force=True)
                    best = operations.compress(data, folder / "best.aez", model, code)["error"]
                    for level in levels_of(options.levels):
                        try:
                            # the archives of a point are much the same
                            with keeping():
                                row = point(data, original, model, level * best, exact, folder)
                        except ParamError as error:
                            print(f"| {table} | {plugin} | {level} | refused: {error} |")
                            continue
                        broken += bool(row["larger"] or row["worse"])
                        law = "larger" if row["larger"] else "worse" if row["worse"] else "kept"
                        print(
                            f"| {table} | {plugin} | {level} | {row['taken']} | {row['bytes']:,} | "
                            f"{row['code_bytes']:,} | {exact:,} | {row['bounded_bytes'] or 0:,} | {law} |",
                            flush=True,
                        )
                        row |= {"table": table, "plugin": plugin, "level": level, "seed": seed}
                        row |= {"rows": len(original)}
                        # points of fewer rows are a table of their own on the page
                        results = "lossy_law" if options.rows == ROWS else "lossy_law_few"
                        common.record(results, row, seeds=seed, data=source)
    print(f"{broken} points break the law")
    return broken


if __name__ == "__main__":
    sys.exit(min(main(), 99))
