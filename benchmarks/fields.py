"""Arrays: fields of three dimensions beside programs for such, a wide matrix, many columns.

    python benchmarks/fields.py [fields] [wide] [columns]

fields    made fields of floats, 64 x 64 x 64, as .npy, beside fpzip, zfp (both lossless), blosc2,
          pcodec and OpenZL on the same values; ours restores the file byte for byte. Told as well
          is what it takes without extrapolation, by which values are told from their neighbours.
wide      a matrix of 512 x 512 floats of 32 bits whose columns are walks: processor time.
columns   CSV of 64 rows and 100, 1,000 and 10,000 columns: how time grows with columns.

All values are drawn here from one seed, so no data set is needed.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
import rivals

from aetool import operations
from aetool.codec import planning
from aetool.operations import CompressOptions

SIDE = 64
SEED = 2011


def _spectrum(rng: np.random.Generator, slope: float) -> Any:
    """A random periodic field, standardised, whose power falls with the wave number, raised to
    `slope`."""
    frequency = np.fft.fftfreq(SIDE)
    squares = frequency[:, None, None] ** 2 + frequency[:, None] ** 2 + frequency**2
    squares[0, 0, 0] = np.inf  # no mean
    noise = np.fft.fftn(rng.normal(size=(SIDE, SIDE, SIDE)))
    field = np.fft.ifftn(noise * squares ** (-slope / 4)).real
    return (field - field.mean()) / field.std()


def made_fields() -> dict[str, Any]:
    """Make fields of 64 x 64 x 64 values, floats of 32 or 64 bits, by name."""
    rng = np.random.default_rng(SEED)
    x, y, z = np.meshgrid(*3 * [np.linspace(0, 1, SIDE)], indexing="ij")
    turbulent = _spectrum(rng, 11 / 3)  # Kolmogorov's law, in three dimensions
    waves = np.sin(7 * x + 3 * y) * np.cos(5 * z) + 0.5 * np.sin(11 * y * z)
    rough = _spectrum(rng, 2.0)
    height = 1013.25 * np.exp(-1.2 * z) + 4 * _spectrum(rng, 5.0)
    front = np.tanh(20 * (x + 0.1 * _spectrum(rng, 5.0) - 0.5))
    return {
        "turbulent, 32 bits": turbulent.astype(np.float32),
        "turbulent, 64 bits": turbulent,
        "waves, 32 bits": waves.astype(np.float32),
        "waves, 64 bits": waves,
        "rough, 32 bits": rough.astype(np.float32),
        "pressure, 32 bits": height.astype(np.float32),
        "pressure, two decimals, 64 bits": height.round(2),
        "front, 32 bits": front.astype(np.float32),
    }


def _fpzip(values: Any) -> int:
    import fpzip

    return len(fpzip.compress(values, precision=0, order="C"))


def _zfp(values: Any) -> int:
    import zfpy

    return len(zfpy.compress_numpy(values))


SIZES = {
    "fpzip": _fpzip,
    "zfp": _zfp,
    "blosc2": rivals.OF_NUMBERS["blosc2"],
    "pcodec": rivals.OF_NUMBERS["pcodec"],
    "openzl": rivals.OF_NUMBERS["openzl"],
}


# the default and the best, and what is left of the default without one stage
EFFORTS = {
    **rivals.EFFORTS,
    "not extrapolated": dataclasses.replace(planning.DEFAULT, extrapolates=False),
}


def archived(path: Path, effort: planning.Effort) -> tuple[int, float, float]:
    """(bytes of an archive that gives the file back byte for byte, CPU seconds in and out)."""
    archive, restored = path.with_suffix(".aez"), path.with_name(f"again{path.suffix}")
    began = time.process_time()
    operations.compress(path, archive, None, CompressOptions(effort=effort, force=True))
    between = time.process_time()
    operations.decompress(archive, restored, force=True)
    ended = time.process_time()
    assert restored.read_bytes() == path.read_bytes()
    return archive.stat().st_size, between - began, ended - between


def fields(folder: Path) -> None:
    """Measure and record archives of the made fields beside other programs."""
    print("| field | effort | aetool | CPU s | " + " | ".join(SIZES) + " | of fpzip |")
    print("|---|---|--:|--:|" + "--:|" * (len(SIZES) + 1))
    for name, values in made_fields().items():
        path = folder / "field.npy"
        np.save(path, values)
        sizes = {}
        for rival, size in SIZES.items():
            with rivals.said_if_missing(rival):
                flat = values if rival in ("fpzip", "zfp") else values.ravel()
                sizes[rival] = size(np.ascontiguousarray(flat))
        for effort, search in EFFORTS.items():
            ours, seconds, _ = archived(path, search)
            of_fpzip = ours / sizes["fpzip"] if "fpzip" in sizes else float("nan")
            shown = " | ".join(str(sizes.get(rival, "")) for rival in SIZES)
            print(f"| {name} | {effort} | {ours} | {seconds:.2f} | {shown} | {of_fpzip:.3f} |")
            row = {"what": name, "effort": effort, "bytes": ours, "cpu_s": seconds}
            row |= {"source_bytes": path.stat().st_size}
            row |= {f"{rival}_bytes": size for rival, size in sizes.items()}
            common.record("fields", row, seeds=SEED, data=values)


def wide(folder: Path) -> None:
    """A matrix of walks."""
    rng = np.random.default_rng(SEED)
    values = np.cumsum(rng.normal(size=(512, 512)), axis=0).astype(np.float32)
    path = folder / "wide.npy"
    np.save(path, values)
    ours, seconds, out = archived(path, planning.DEFAULT)
    print(f"512 x 512 walks: {values.nbytes} to {ours} bytes, {seconds:.2f} s in, {out:.2f} s out")
    row = {"what": "512 x 512 walks", "effort": "default", "bytes": ours, "cpu_s": seconds}
    common.record("fields", row | {"source_bytes": values.nbytes}, seeds=SEED, data=values)


def columns(folder: Path) -> None:
    """Tables of few rows and many columns."""
    rng = np.random.default_rng(SEED)
    for count in (100, 1_000, 10_000):
        values = np.cumsum(rng.normal(size=(64, count)), axis=0)
        path = folder / "columns.csv"
        head = ",".join(f"c{i}" for i in range(count))
        np.savetxt(path, values, fmt="%.2f", delimiter=",", header=head, comments="")
        ours, seconds, out = archived(path, planning.DEFAULT)
        size = path.stat().st_size
        print(f"64 x {count}: {size} to {ours} bytes, {seconds:.2f} s in, {out:.2f} s out")
        row = {"what": f"64 x {count} CSV", "effort": "default", "bytes": ours, "cpu_s": seconds}
        common.record("fields", row | {"source_bytes": size}, seeds=SEED, data=path)


WHAT = {"fields": fields, "wide": wide, "columns": columns}


def main() -> None:
    """Run the benchmark by the options of the command line, and print what it measures."""
    parser = common.parser(__doc__)
    common.add_parts(parser, tuple(WHAT))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for what in common.parts_of(options, tuple(WHAT)):
            WHAT[what](Path(temporary))


if __name__ == "__main__":
    main()
