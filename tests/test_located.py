"""Parts of files that are read where they are needed, and what a worker checks of its own work."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool.archives import exact_job, opening
from aetool.archives.lossy_job import CompressOptions
from aetool.codec.contents.arrow import ArrowContent
from aetool.codec.contents.text import TextTable
from aetool.codec.planning import Effort
from aetool.data import arrow_files, cuts
from aetool.data.located import BatchAt, BytesAt, FileAt
from aetool.errors import ArchiveError, DataError
from tests.sweeps import checkered
from tests.test_engine import Scattered

ROWS = 5000


@pytest.fixture
def frame():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "n": np.arange(ROWS),
            "x": rng.normal(size=ROWS).round(3),
            "t": rng.choice(["a", "b, c", "two\nlines"], ROWS),
        }
    )


@pytest.mark.parametrize("group", [70, 900, 4000])
def test_batches_are_read_again_where_they_lie(frame, tmp_path, monkeypatch, group):
    """Small groups of rows are put together, large ones are cut, wide batches are halved."""
    monkeypatch.setattr(arrow_files, "ROWS", 1000)
    monkeypatch.setattr(cuts, "MOST_BYTES", 20_000)
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, row_group_size=group)
    located = list(arrow_files.open_table(path, "t.parquet").located())
    assert len(located) > 4 and sum(batch.num_rows for batch, _ in located) == ROWS
    for batch, place in located:
        assert isinstance(place, BatchAt)
        assert place.read().equals(batch, check_metadata=True)


def test_what_no_other_process_can_read_has_no_place(frame, tmp_path):
    path = tmp_path / "t.arrow"
    with pa.ipc.new_file(path, pa.Schema.from_pandas(frame)) as writer:
        writer.write_table(pa.Table.from_pandas(frame))
    sources = [opening.opened(path), opening.opened(frame)]
    frame.to_parquet(tmp_path / "t.parquet")
    packed = tmp_path / "t.parquet.gz"
    with pa.output_stream(packed, compression="gzip") as stream:
        stream.write((tmp_path / "t.parquet").read_bytes())
    sources.append(opening.opened(packed))
    for source in sources:
        assert [place for _, place in source.located()] == [None]


@pytest.mark.parametrize("kind", ["utf8", "utf-16", "gz"])
def test_pieces_of_a_text_are_read_again_where_they_lie(frame, tmp_path, kind):
    """But for a text whose bytes are not those that are coded."""
    path = tmp_path / ("t.csv.gz" if kind == "gz" else "t.csv")
    frame.loc[0, "t"] = "é"
    frame.to_csv(path, index=False, encoding="utf-16" if kind == "utf-16" else "utf8")
    options = CompressOptions(effort=Effort(block=9000))
    job = exact_job.job_of(opening.opened(path), options)
    located = list(job.content.located_items())
    assert len(located) > 5
    for item, place in located:
        if kind == "utf8":
            assert isinstance(place, BytesAt) and place.read() == item
        else:
            assert place is None
    assert b"".join(item for item, _ in located).startswith(b"0,")


def test_a_file_that_changed_is_told_by_name(frame, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n")
    place = BytesAt.of(FileAt.of(path, "my.csv"), 4, b"1,2\n")
    assert place.read() == b"1,2\n"
    path.write_bytes(b"a,b\n1,7\n3,4\n")
    with pytest.raises(DataError, match=r"my\.csv: was changed while it was read"):
        place.read()
    path.write_bytes(b"a,b\n")
    with pytest.raises(DataError, match=r"my\.csv: was changed"):
        place.read()
    path.unlink()
    with pytest.raises(DataError, match=r"my\.csv: No such file"):
        place.read()


def test_a_damaged_group_of_rows_is_told_by_name(frame, tmp_path):
    path = tmp_path / "t.parquet"
    frame.to_parquet(path, row_group_size=1000)
    _, place = list(arrow_files.open_table(path, "t.parquet").located())[-1]
    raw = bytearray(path.read_bytes())
    raw[4 : len(raw) // 2] = bytes(len(raw) // 2 - 4)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read"):
        place.read()


def test_places_do_not_depend_on_the_folder(frame, tmp_path, monkeypatch):
    frame.to_parquet(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    table = arrow_files.open_table(Path("t.parquet"), "t.parquet")
    ((batch, place),) = table.located()
    monkeypatch.chdir("/")
    assert place.read().equals(batch)


# ---- checked by whoever encodes


def encoded_wrongly(content_class, monkeypatch):
    """Has every item encoded as it would be without its last record."""
    encode = content_class.encode

    def without_the_last(self, item, hints):
        if content_class is ArrowContent:
            return encode(self, item.slice(0, item.num_rows - 1), hints)
        return encode(self, item[: item.rstrip(b"\n").rfind(b"\n") + 1], hints)

    monkeypatch.setattr(content_class, "encode", without_the_last)


@pytest.mark.parametrize(("kind", "max_error"), checkered(["parquet", "csv"], [{}, {"x": "0.01"}]))
def test_a_worker_refuses_what_would_not_come_back(frame, tmp_path, monkeypatch, kind, max_error):
    """The file's bytes are kept instead; where the archive was to be bounded, there is none."""
    path, out = tmp_path / f"t.{kind}", tmp_path / "t.aez"
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    encoded_wrongly(ArrowContent if kind == "parquet" else TextTable, monkeypatch)
    for executor in ("threads:2", Scattered()):
        options = CompressOptions(executor=executor, max_error=max_error, force=True)
        if max_error:
            with pytest.raises(ArchiveError, match="would not be restored"):
                aetool.operations.compress(path, out, options=options)
            assert not out.exists()
            continue
        figures = aetool.operations.compress(path, out, options=options)
        assert "would not be restored" in figures["kept"]
        restored = aetool.decompress(out, tmp_path / "again", force=True)
        assert restored.read_bytes() == path.read_bytes()


def test_a_file_that_would_be_read_otherwise_is_kept(frame, tmp_path, monkeypatch):
    """What workers cannot tell of single batches: that the file written of them is the same."""
    path, out = tmp_path / "t.parquet", tmp_path / "t.aez"
    frame.to_parquet(path)
    write = arrow_files.write_table

    def without_the_last(file, schema, batches, format, whole=True):
        shorter = (batch.slice(0, max(batch.num_rows - 1, 0)) for batch in batches)
        write(file, schema, shorter, {**format, "groups": None}, whole)

    monkeypatch.setattr(arrow_files, "write_table", without_the_last)
    figures = aetool.compress(path, out, executor="threads:2")
    assert "would not be restored" in figures["kept"]


def test_what_reached_the_disk_is_read_again(frame, tmp_path, monkeypatch):
    """A byte that changed on its way is found before the archive gets its name."""
    path, out = tmp_path / "t.parquet", tmp_path / "t.aez"
    frame.to_parquet(path)
    job = exact_job.job_of(opening.opened(path), CompressOptions())
    with aetool.engine.opened("threads:2") as engine, out.open("wb+") as file:
        job.engine = engine
        job.write(file)
        size = file.tell()
        job.compare(file)
        file.seek(size // 2)
        changed = bytes([file.read(1)[0] ^ 1])
        file.seek(size // 2)
        file.write(changed)
        file.flush()
        with pytest.raises(ArchiveError, match="damaged"):
            job.compare(file)


def test_dictionaries_are_compared_as_a_whole(frame, tmp_path):
    """What is beside the blocks no worker sees."""
    path = tmp_path / "t.parquet"
    frame.assign(t=frame["t"].astype("category")).to_parquet(path)
    job = exact_job.job_of(opening.opened(path), CompressOptions())
    assert job.content.dictionaries.of and not job.content.checks_items
    serial, spread = tmp_path / "serial.aez", tmp_path / "spread.aez"
    aetool.compress(path, serial)
    aetool.compress(path, spread, executor="threads:2")
    assert serial.read_bytes() == spread.read_bytes()
    assert pq.read_table(aetool.decompress(spread, tmp_path / "a.parquet")).equals(
        pq.read_table(path)
    )
