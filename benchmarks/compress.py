"""Archives beside xz, bzip2, zstd, Parquet and pcodec, in one run.

tables    six tables, lossless and within 1 % of each column's range, --best with and without
          students; what each coder brought. Rivals of the second get the same quantised numbers.
shared    a model fitted on the first 80 % of the rows; the rest as files of 100, 1,000 and 10,000
          rows, beside zstd with a dictionary trained on the same rows, PPMd that has read the last
          of them before each file, xz and pcodec on each file, and our archives without a model.
small     the first rows of each table as tables of their own, or the tables of a folder, or made
          ones (made_tables.py), beside xz, bzip2 and zstd.
speed     at least 100 MB (a table's rows repeated, fresh noise in the last digits).
"""

from __future__ import annotations

import bz2
import dataclasses
import io
import lzma
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import made_tables
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from aetool import operations
from aetool.codec import planning
from aetool.codec.archive import Archive
from aetool.operations import CompressOptions, FitOptions

TABLES = ("adult", "beijing_air", "cmapss", "covtype20k", "credit", "kdd99")
BOUND = {"": "1%"}
PPMD_ORDERS, PPMD_MEMORY = (8, 16), 256 << 20  # neither order is the better one on all tables
PRIMER = (
    2_000_000  # bytes that PPMd reads before each file: the last of what the model was fitted on
)


def xz(raw: bytes) -> int:
    """Bytes of xz -9e."""
    return len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))


def zstd(raw: bytes) -> int:
    """Bytes of zstd -19."""
    return len(pa.Codec("zstd", compression_level=19).compress(raw))


def parquet(frame: pd.DataFrame) -> int:
    """Bytes of Parquet with zstd -19."""
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, sink, compression="zstd", compression_level=19)
    return len(sink.getvalue())


def pcodec(frame: pd.DataFrame) -> int:
    """pcodec, level 12, on each numeric column; zstd -19 on the text of the others."""
    from pcodec import ChunkConfig, standalone

    total = 0
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "if":
            values = np.ascontiguousarray(column.to_numpy())
            total += len(standalone.simple_compress(values, ChunkConfig(compression_level=12)))
        else:
            total += zstd("\n".join(column.fillna("").astype(str)).encode())
    return total


def whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Every column as whole numbers: decimals at their scale, text as the index of its level."""
    out = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind not in "if":
            out[name] = column.fillna("").astype("category").cat.codes.to_numpy().astype(np.int64)
            continue
        x = column.to_numpy(np.float64)
        finite = x[np.isfinite(x)]
        places = next(
            (
                p
                for p in range(10)
                if np.allclose(finite * 10**p, np.rint(finite * 10**p), atol=1e-4)
            ),
            9,
        )
        k = np.rint(np.nan_to_num(x) * 10**places)
        used = np.unique(k)
        step = np.gcd.reduce((used - used[0]).astype(np.int64)) if len(used) > 1 else 1
        k = (k - used[0]).astype(np.int64) // max(int(step), 1)
        out[name] = np.where(np.isfinite(x), k, int(k.max(initial=0)) + 1)
    return pd.DataFrame(out)


def rivals_of_whole(frame: pd.DataFrame) -> dict[str, int]:
    """Size in bytes, by codec, of a table of whole numbers, (rows, columns), that classical codecs
    compress in the narrowest types; xz, bzip2 and zstd by rows or by columns, whichever is
    smaller."""
    arrays = []
    for name in frame.columns:
        k = frame[name].to_numpy()
        arrays.append(k.astype(np.min_scalar_type(int(k.max(initial=0)))))
    by_column = b"".join(a.tobytes() for a in arrays)
    by_row = np.rec.fromarrays(arrays).tobytes()
    narrow = pd.DataFrame(dict(zip(frame.columns, arrays, strict=True)))
    widths = {c: "uint16" if t == np.uint8 else str(t) for c, t in narrow.dtypes.items()}
    return {
        "xz": min(xz(by_column), xz(by_row)),
        "bzip2": min(len(bz2.compress(r, 9)) for r in (by_column, by_row)),
        "zstd": min(zstd(by_column), zstd(by_row)),
        "parquet": parquet(narrow),
        "pcodec": pcodec(narrow.astype(widths)),
    }


def rivals(path: Path) -> dict[str, int]:
    """Size in bytes, by codec, of a CSV file that classical codecs compress."""
    raw = path.read_bytes()
    frame = pd.read_csv(path)
    return {
        "xz": xz(raw),
        "bzip2": len(bz2.compress(raw, 9)),
        "zstd": zstd(raw),
        "parquet": parquet(frame),
        "pcodec": pcodec(frame),
    }


def archived(
    path: Path, folder: Path, model: Any = None, **options: Any
) -> tuple[Path, Path, float, float]:
    """Compress a file and decompress it again in a folder: (archive, restored file, seconds of
    compressing, seconds of decompressing)."""
    target, out = folder / "t.aez", folder / "t.out"
    began = time.perf_counter()
    operations.compress(path, target, model, CompressOptions(force=True, **options))
    middle = time.perf_counter()
    operations.decompress(target, out, model=model, force=True)
    return target, out, middle - began, time.perf_counter() - middle


EFFORTS = {
    "fast": planning.FAST,
    "default": planning.DEFAULT,
    "best": planning.BEST,
    "best with students": dataclasses.replace(planning.BEST, students=True),
}


def coders(path: Path) -> dict[str, int]:
    """Bytes of an archive by the coder that wrote them, and as "weights" those of the weights of
    its students."""
    with Archive(path) as archive:
        out = {"weights": len(archive.reader.sections.get("students", b""))}
        for sizes in archive.sizes().values():
            for coder, size in sizes.items():
                out[coder] = out.get(coder, 0) + size
    return out


def tables(options: Any) -> None:
    """Measure and record archives of each table, lossless and within 1 %, at each effort, beside
    classical codecs."""
    print("| table | mode | effort | aetool | smallest rival | ratio | xz | zstd | in s | out s |")
    print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|")
    logs: dict[str, list[float]] = {}
    for name in options.tables.split(","):
        path = common.need(options.data / "tables" / f"{name}.csv")
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for mode, bound in (("lossless", {}), ("1 %", BOUND)):
                held: dict[str, int] = {}
                for effort in options.efforts.split(","):
                    made = archived(path, folder, max_error=bound, effort=EFFORTS[effort])
                    size = made[0].stat().st_size
                    if not bound:
                        assert made[1].read_bytes() == path.read_bytes()
                        held = held or rivals(path)
                    else:
                        held = held or rivals_of_whole(whole_numbers(pd.read_csv(made[1])))
                    best = min(held, key=lambda k: held[k])
                    ratio = size / held[best]
                    logs.setdefault(f"{mode}, {effort}", []).append(np.log(ratio))
                    print(f"| {name} | {mode} | {effort} | {size} | {held[best]} ({best}) | {ratio:.3f} "
                          f"| {held['xz']} | {held['zstd']} | {made[2]:.1f} | {made[3]:.1f} |", flush=True)  # fmt: skip
                    row = {
                        "table": name,
                        "mode": mode,
                        "effort": effort,
                        "bytes": size,
                        "ratio": ratio,
                    }
                    row |= {f"{k}_bytes": v for k, v in held.items()}
                    row |= {"in_s": made[2], "out_s": made[3], "coders": coders(made[0])}
                    common.record("compress", row, seeds=0, data=path)
    for key, values in logs.items():
        print(f"{key}: geometric mean of the ratios {np.exp(np.mean(values)):.3f}")


def after_reading(primer: bytes, text: bytes) -> int:
    """Bytes that PPMd takes for a text after what it has read of a primer, by the better of
    PPMD_ORDERS; 0 where it is not installed."""
    try:
        import pyppmd
    except ImportError:
        return 0

    def size(read: bytes, order: int) -> int:
        encoder = pyppmd.Ppmd7Encoder(order, PPMD_MEMORY)
        return len(encoder.encode(read)) + len(encoder.flush())

    return min(size(primer + text, order) - size(primer, order) for order in PPMD_ORDERS)


def shared(options: Any) -> None:
    """Measure and record archives of small files of one table under one model that was fitted on
    its first 80 %, beside archives without a model and classical codecs."""
    print(
        "| table | mode | rows | files | aetool | without model | most above | smallest | ratio |"
    )
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    logs: dict[str, list[float]] = {}
    for name in options.tables.split(","):
        path = common.need(options.data / "tables" / f"{name}.csv")
        head, *lines = path.read_bytes().splitlines(keepends=True)
        cut = len(lines) * 4 // 5
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            train = folder / "train.csv"
            train.write_bytes(head + b"".join(lines[:cut]))
            for mode, bound in (("lossless", {}), ("1 %", BOUND)):
                began = time.perf_counter()
                model = operations.fit(
                    train,
                    FitOptions(
                        options.plugin, codec=True, max_error=bound, students=options.students
                    ),
                )
                seconds = time.perf_counter() - began
                primer = train.read_bytes()
                if bound:
                    primer = archived(train, folder, None, max_error=bound)[1].read_bytes()
                for rows in map(int, options.rows.split(",")):
                    starts = list(range(cut, len(lines) - rows + 1, rows))
                    starts = starts[:: max(1, len(starts) // options.files)][: options.files]
                    if not starts:
                        continue
                    parts = [head + b"".join(lines[start : start + rows]) for start in starts]
                    row = of_files(parts, rows, primer, folder, model, bound)
                    logs.setdefault(mode, []).append(np.log(row["ratio"]))
                    row = {"table": name, "mode": mode, "rows": rows, "files": len(parts)} | row
                    print(
                        f"| {name} | {mode} | {rows} | {len(parts)} | {row['bytes']} "
                        f"| {row['alone_bytes']} | {row['most_above']} | {row['best']} "
                        f"| {row['ratio']:.3f} |",
                        flush=True,
                    )
                    row |= {
                        "model_bytes": len(model.to_bytes()),
                        "students": options.students,
                        "fit_s": seconds,
                        "codec_bytes": len(model.graphs["codec.safetensors.xz"]),
                    }
                    common.record("shared", row, seeds=0, data=path)
    for key, values in logs.items():
        print(f"{key}: geometric mean of the ratios {np.exp(np.mean(values)):.3f}")


def of_files(
    parts: list[bytes], rows: int, primer: bytes, folder: Path, model: Any, bound: dict[str, str]
) -> dict[str, Any]:
    """Bytes of all files under the model, without one, and by rivals, which may learn from the
    primer: the rows that the model was fitted on, in a bounded archive as this gives them back."""
    import zstandard

    ours, alone, most_above, texts = 0, 0, 0, []
    for part in parts:
        (folder / "p.csv").write_bytes(part)
        archive, restored, *_ = archived(folder / "p.csv", folder, model, max_error=bound)
        under = archive.stat().st_size
        texts.append(restored.read_bytes())
        without = archived(folder / "p.csv", folder, None, max_error=bound)[0].stat().st_size
        ours, alone = ours + under, alone + without
        most_above = max(most_above, under - without)
    if not bound:
        assert texts == parts
    head, *lines = primer.splitlines(keepends=True)
    samples = [head + b"".join(lines[start : start + rows]) for start in range(0, len(lines), rows)]
    few = len(samples) < 10  # the trainer of dictionaries wants more
    if few:
        step = max(1, rows // 100)
        samples = [b"".join(lines[start : start + step]) for start in range(0, len(lines), step)]
    samples = samples[-(64 << 20) // max(1, len(samples[0])) :]
    book = zstandard.train_dictionary(112640, samples[:: max(1, len(samples) // 1000)])
    packer = zstandard.ZstdCompressor(level=19, dict_data=book)
    read_before = head + primer[-PRIMER:]
    theirs = {"xz": 0, "pcodec": 0, "zstd": 0, "ppmd": 0}
    for text in texts:
        theirs["zstd"] += len(packer.compress(text))
        theirs["ppmd"] += after_reading(read_before, text)
        frame = pd.read_csv(io.BytesIO(text))
        if bound:
            held = rivals_of_whole(whole_numbers(frame))
            theirs["xz"] += min(xz(text), held["xz"])
            theirs["pcodec"] += held["pcodec"]
        else:
            theirs["xz"] += xz(text)
            theirs["pcodec"] += pcodec(frame)
    theirs = {rival: size for rival, size in theirs.items() if size}
    best = min(theirs, key=lambda rival: theirs[rival])
    row = {"bytes": ours, "alone_bytes": alone, "most_above": most_above, "best": best}
    row |= {"ratio": ours / theirs[best]}
    return row | {f"{rival}_bytes": size for rival, size in theirs.items()}


FIRST_ROWS = (30, 100, 300, 1000, 3000)


def small_tables(options: Any) -> dict[str, bytes]:
    """Small tables by their names."""
    if options.made:
        return {name: make().encode() for name, make in made_tables.MADE.items()}
    if options.folder is not None:
        found = sorted(
            path for path in options.folder.glob("*.csv") if path.stat().st_size < 400_000
        )
        step = max(1, len(found) // options.files)
        return {path.stem: path.read_bytes() for path in found[::step]}
    texts = {}
    for name in options.tables.split(","):
        path = common.need(options.data / "tables" / f"{name}.csv")
        lines = path.read_bytes().splitlines(keepends=True)
        texts |= {f"{name}, {rows} rows": b"".join(lines[: rows + 1]) for rows in FIRST_ROWS}
    return texts


def small(options: Any) -> None:
    """Small tables."""
    print("| table | source | aetool | xz | bzip2 | zstd | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    ratios, above = [], 0
    for name, text in small_tables(options).items():
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "t.csv"
            path.write_bytes(text)
            archive, restored, seconds, _ = archived(path, Path(temporary))
            assert restored.read_bytes() == text, name
            size = archive.stat().st_size
        rivals_of_text = {"xz": xz(text), "bzip2": len(bz2.compress(text, 9)), "zstd": zstd(text)}
        best = min(rivals_of_text.values())
        ratios.append(size / best)
        above += size > 1.02 * best + 64
        row = {"table": name, "source_bytes": len(text), "bytes": size, "ratio": size / best}
        row |= {f"{rival}_bytes": bytes_ for rival, bytes_ in rivals_of_text.items()}
        shown = " | ".join(str(bytes_) for bytes_ in rivals_of_text.values())
        print(f"| {name} | {len(text)} | {size} | {shown} | {size / best:.3f} |", flush=True)
        common.record(
            "compress_small", row | {"in_s": seconds}, seeds=0, data=np.frombuffer(text, np.uint8)
        )
    mean = np.exp(np.mean(np.log(ratios)))
    print(f"geometric mean {mean:.3f}; {above} of {len(ratios)} above the best by 2 % and 64 bytes")


def grown(path: Path, target: Path, size: int) -> None:
    """The table's rows again and again, until `size` bytes, the last digit of every number of more
    than three digits drawn anew."""
    head, *lines = path.read_bytes().splitlines(keepends=True)
    rng = np.random.default_rng(0)
    body = b"".join(lines)
    digit = np.frombuffer(body, np.uint8)
    is_digit = (digit >= 48) & (digit <= 57)
    last = is_digit & ~np.append(is_digit[1:], False)
    for shift in (1, 2, 3):
        last &= np.concatenate([np.zeros(shift, bool), is_digit[:-shift]])
    where = np.flatnonzero(last)
    with target.open("wb") as file:
        file.write(head)
        while file.tell() < size:
            fresh = digit.copy()
            fresh[where] = rng.integers(48, 58, len(where))
            file.write(fresh.tobytes())


def speed(options: Any) -> None:
    """Throughput of large inputs, in processes of their own, beside xz, zstd and pcodec."""
    print("| table | what | MB/s in | MB/s out | CPU s in | CPU s out | bytes | peak MB |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for name in options.tables.split(","):
        path = common.need(options.data / "tables" / f"{name}.csv")
        with tempfile.TemporaryDirectory() as temporary:
            big, out = Path(temporary) / "big.csv", Path(temporary) / "big.out"
            grown(path, big, options.megabytes << 20)
            size = big.stat().st_size / 1e6
            tool = [sys.executable, "-m", "aetool"]
            jobs = {
                "aetool --fast": ([*tool, "compress", "--fast", "-qf", "-o"], [*tool, "decompress", "-qf", "-o"]),
                "aetool": ([*tool, "compress", "-qf", "-o"], [*tool, "decompress", "-qf", "-o"]),
                "xz -6": (["xz", "-6", "-k", "-c"], ["xz", "-d", "-c"]),
                "zstd -19": (["zstd", "-19", "-q", "-c"], ["zstd", "-d", "-q", "-c"]),
            }  # fmt: skip
            for job, (pack, unpack) in jobs.items():
                if job not in options.jobs.split(","):
                    continue
                small = Path(temporary) / "big.small"
                times, peaks, processors = [], [], []
                for command, source, target in ((pack, big, small), (unpack, small, out)):
                    own = "aetool" in job
                    began = time.perf_counter()
                    with target.open("wb") as sink:
                        line = (
                            [*command, str(target), str(source)] if own else [*command, str(source)]
                        )
                        child = subprocess.Popen(line, stdout=None if own else sink)
                        _, status, usage = os.wait4(child.pid, 0)
                    assert status == 0, job
                    times.append(time.perf_counter() - began)
                    peaks.append(usage.ru_maxrss / 1024)
                    processors.append(usage.ru_utime + usage.ru_stime)
                assert out.read_bytes() == big.read_bytes(), job
                row = {
                    "table": name,
                    "job": job,
                    "in_mb_s": size / times[0],
                    "out_mb_s": size / times[1],
                }
                row |= {"in_cpu_s": processors[0], "out_cpu_s": processors[1]}
                row |= {"bytes": small.stat().st_size, "source_mb": size, "peak_mb": max(peaks)}
                print(f"| {name} | {job} | {row['in_mb_s']:.1f} | {row['out_mb_s']:.1f} | {row['in_cpu_s']:.1f} "
                      f"| {row['out_cpu_s']:.1f} | {row['bytes']} "
                      f"| {row['peak_mb']:.0f} |", flush=True)  # fmt: skip
                common.record("compress_speed", row, seeds=0, data=path)


WHAT = {"tables": tables, "shared": shared, "small": small, "speed": speed}


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    common.add_parts(parser, tuple(WHAT))
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--efforts", default="default,best")
    parser.add_argument("--plugin", default="pca", help="of the shared model")
    parser.add_argument("--students", action="store_true", help="of the shared model")
    parser.add_argument("--rows", default="100,1000,10000", help="of each file of shared")
    parser.add_argument("--files", type=int, default=20, help="at most, of each table")
    parser.add_argument("--folder", type=Path, help="of small tables, instead of first rows")
    parser.add_argument("--made", action="store_true", help="made tables, instead of first rows")
    parser.add_argument("--jobs", default="aetool --fast,aetool,xz -6,zstd -19", help="of speed")
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    for what in common.parts_of(options, tuple(WHAT)):
        WHAT[what](options)


if __name__ == "__main__":
    main()
