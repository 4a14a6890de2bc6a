"""Tables of fixed width, there and back; folders of a logger; and pictures in one plain file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aetool import Reader

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 10_000  # lines in memory at a time


class FixedWidth(Reader):
    """Columns that begin where their names do, in the first line."""

    name = "fixed width"
    is_text = True

    def matches(self, path: Path) -> bool:
        return path.suffix == ".fwf"

    def batches(self, path: Path) -> Iterator["pa.RecordBatch"]:
        import pandas as pd
        import pyarrow as pa

        with pd.read_fwf(path, chunksize=ROWS, dtype=str) as frames:
            for frame in frames:
                yield pa.RecordBatch.from_pandas(frame, preserve_index=False)

    def write(self, path: Path, batches: Iterator["pa.RecordBatch"]) -> None:
        columns: dict[str, list[str]] = {}
        for batch in batches:
            for name, values in batch.to_pydict().items():
                column = columns.setdefault(name, [name])
                column += ["" if value is None else str(value) for value in values]
        wide = [max(map(len, column)) for column in columns.values()]
        with path.open("w") as file:
            for cells in zip(*columns.values(), strict=True):
                padded = (cell.ljust(width) for cell, width in zip(cells, wide, strict=True))
                file.write("  ".join(padded).rstrip() + "\n")


class LoggerFolder(Reader):
    """A folder that a logger writes: channels.txt names the channels, and each .bin file is a run
    of float32 values of all of them."""

    name = "logger"
    writes_folders = True

    def matches(self, path: Path) -> bool:
        return path.suffix == ".logger" or (path / "channels.txt").is_file()

    def batches(self, path: Path) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        channels = (path / "channels.txt").read_text().split()
        for run in sorted(path.glob("*.bin")):
            values = np.fromfile(run, np.float32)
            if len(values) % len(channels):
                raise ValueError(f"{run.name} ends within a record of {len(channels)} channels")
            columns = values.reshape(-1, len(channels)).T
            yield pa.RecordBatch.from_arrays([pa.array(c) for c in columns], channels)

    def write(self, path: Path, batches: Iterator["pa.RecordBatch"]) -> None:
        for number, batch in enumerate(batches):
            (path / "channels.txt").write_text("\n".join(batch.schema.names))
            values = np.stack([column.to_numpy() for column in batch.columns], axis=1)
            values.astype(np.float32).tofile(path / f"{number:04}.bin")


class Frames(Reader):
    """Pictures of a camera: height and width in two bytes each, then a byte for each pixel."""

    name = "frames"

    def matches(self, path: Path) -> bool:
        return path.suffix == ".frames"

    def batches(self, path: Path) -> Iterator[npt.NDArray[np.uint8]]:
        raw = np.fromfile(path, np.uint8)
        height, width = raw[:4].view("<u2").tolist()
        yield raw[4:].reshape(-1, height, width)

    def write(self, path: Path, batches: Iterator[npt.NDArray[np.uint8]]) -> None:
        with path.open("wb") as file:
            for number, pictures in enumerate(batches):
                if number == 0:
                    file.write(np.array(pictures.shape[1:], "<u2").tobytes())
                file.write(pictures.tobytes())
