"""Models inside archives, squeezed: fewer bytes, restored for ever, and refused where damaged."""

import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool
from aetool import bundle as bundles
from aetool import operations
from aetool.codec import packed_models
from aetool.codec.archive import Archive
from aetool.codec.packed_models import packed, unpacked
from aetool.errors import BundleError
from aetool.operations import FitOptions
from tests import format_reader

HOME = Path(__file__).parent / "golden" / "3.4"


def test_what_is_packed_comes_back_and_is_no_larger():
    text, noise = b"{" + 500 * b'"a":1,' + b"}", np.random.default_rng(0).bytes(500)
    assert unpacked(packed(text), "m") == text and len(packed(text)) < 200
    assert packed(noise) == noise and unpacked(noise, "m") == noise


@pytest.mark.parametrize("damage", [
    lambda data: data[:-1],
    lambda data: data + b"\0",
    lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
])  # fmt: skip
def test_a_damaged_one_is_one_error(damage):
    data = packed(500 * b'"a":1,')
    with pytest.raises(BundleError, match="m: damaged"):
        bundle = unpacked(damage(data), "m")
        bundles.from_bytes(bundle, "m")


def test_one_that_would_be_larger_than_a_bundle_is_refused(monkeypatch):
    monkeypatch.setattr(packed_models, "MAX_BUNDLE", 1000)
    bomb = lzma.compress(bytes(10_000))
    with pytest.raises(BundleError, match="m: damaged: not one whole stream"):
        unpacked(bomb, "m")


def test_an_archive_holds_it_squeezed(tmp_path):
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(300, 2)).cumsum(axis=0)
    table = pd.DataFrame((causes @ rng.normal(size=(2, 20))).round(2)).add_prefix("c")
    table.to_csv(tmp_path / "t.csv", index=False)
    model = operations.fit(tmp_path / "t.csv", FitOptions("pca", {"latent": 2}))
    aetool.compress(tmp_path / "t.csv", tmp_path / "a.aez", model, lossy_only=True, embed=True)
    with Archive(tmp_path / "a.aez") as archive:
        section = archive.reader.sections["model"]
        assert section.startswith(packed_models.MAGIC)
        assert len(section) < 0.5 * len(archive.model.to_bytes())


def test_a_golden_archive_is_restored_for_ever(tmp_path):
    out = operations.decompress(HOME / "squeezed.aez", tmp_path / "out.csv")
    ours, theirs = pd.read_csv(out), pd.read_csv(HOME / "squeezed.csv")
    np.testing.assert_allclose(ours, theirs, atol=0.011)
    read = format_reader.restore((HOME / "squeezed.aez").read_bytes(), None)
    for name, values in read.items():
        np.testing.assert_allclose(np.array(values, float), theirs[name], atol=0.011)
