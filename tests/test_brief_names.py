"""Small archives name the model that they need by 8 bytes; those of 16 are read as ever."""

from pathlib import Path

import pytest

from aetool import bundle as bundles
from aetool import operations
from aetool.codec.container import digests, layout
from aetool.errors import AetoolError, BundleError
from tests import format_reader

GOLDEN = Path(__file__).parent / "golden"
MODEL = GOLDEN / "3.0" / "model.aem"
BRIEF = GOLDEN / "3.11" / "brief.aez"
TABLE = GOLDEN / "3.11" / "brief.csv"
MIXED = GOLDEN / "3.13" / "brief.aez"  # as it is written now, with words that are a mixture


@pytest.fixture(scope="module")
def model():
    return bundles.load(MODEL)


@pytest.mark.parametrize("archive", [BRIEF, MIXED], ids=["deflated", "mixed"])
def test_golden_archives_are_restored_for_ever(archive, model, tmp_path):
    back = operations.decompress(archive, tmp_path / "t.csv", model=model)
    assert back.read_bytes() == TABLE.read_bytes()
    assert format_reader.restore(archive.read_bytes(), MODEL.read_bytes()) == TABLE.read_bytes()


def test_it_is_written_so_still(model, tmp_path):
    operations.compress(TABLE, tmp_path / "t.aez", model)
    assert (tmp_path / "t.aez").read_bytes() == MIXED.read_bytes()
    assert MIXED.stat().st_size == BRIEF.stat().st_size - 2


def test_a_name_of_sixteen_bytes_is_read(model, tmp_path):
    """As all archives in one piece had it before: eight bytes more, and no bit for them."""
    brief = BRIEF.read_bytes()
    start = brief[:9] + bytes([layout.ONE_PIECE | layout.NAMED])
    name = bytes.fromhex(model.sha256)[: layout.MODEL]
    long = start + name + brief[layout.START.size + layout.BRIEF_MODEL : -digests.DIGEST]
    long += digests.digest(long)
    assert len(long) == len(brief) + 8
    (tmp_path / "long.aez").write_bytes(long)
    back = operations.decompress(tmp_path / "long.aez", tmp_path / "t.csv", model=model)
    assert back.read_bytes() == TABLE.read_bytes()
    assert format_reader.restore(long, MODEL.read_bytes()) == TABLE.read_bytes()


def test_another_model_is_refused_by_the_name(tmp_path, model):
    other = operations.fit(TABLE, operations.FitOptions("pca"))
    with pytest.raises(BundleError, match=f"sha256 begins {model.sha256[:16]} .the one given"):
        operations.decompress(BRIEF, tmp_path / "t.csv", model=other)


@pytest.mark.parametrize("bits", [4, 5, 6, 8, 15])
def test_a_brief_name_of_no_model_is_no_layout(bits, tmp_path):
    archive = bytearray(BRIEF.read_bytes())
    archive[9] = bits
    (tmp_path / "t.aez").write_bytes(archive)
    with pytest.raises(AetoolError, match=f"layout {bits}, or damaged"):
        operations.verify(tmp_path / "t.aez")
