"""The verbs of Python name what they take, where they are given something else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aetool

FRAME = pd.DataFrame({"a": [1.5, 2.5, 3.5]})


@pytest.mark.parametrize("data", [5, None, [], {1, 2}, 2.5, object(), [[1, 2]], pd.DataFrame, Path])
@pytest.mark.parametrize("verb", ["compress", "detect", "fit"])
def test_data_of_another_kind_are_refused_by_name(tmp_path, verb, data):
    target = [tmp_path / "a.aez"] if verb == "compress" else []
    with pytest.raises(
        aetool.AetoolError, match=f"^{verb}: data must be a path .*DataFrame"
    ) as said:
        getattr(aetool, verb)(data, *target)
    assert data is None or type(data).__name__ in str(said.value) or "list" in str(said.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "said"), [
    ({"path": 5}, r"path must be a path, as a text or a Path; got 5 \(int\)"),
    ({"path": b"a.aez"}, r"path must be a path.*got b'a.aez' \(bytes\)"),
    ({"model": 5}, r"model must be a path.*got 5"),
    ({"effort": 5}, r"effort must be fast, default, best; got 5"),
    ({"effort": "slow"}, r"effort must be fast, default, best; got 'slow'"),
    ({"max_error": [1]}, r"max_error must be a dictionary of texts; got list"),
    ({"lossy": "yes"}, r"lossy must be True or False; got 'yes'"),
    ({"latent": "2", "lossy": True}, r"latent must be a whole number or None; got '2'"),
    ({"latent": True, "lossy": True}, r"latent must be a whole number or None; got True"),
    ({"speed": 1}, r"no option 'speed'; there are lossy, latent"),
])  # fmt: skip
def test_options_of_compress(tmp_path, options, said):
    chosen = {"path": tmp_path / "a.aez", **options}
    with pytest.raises(aetool.AetoolError, match=f"compress: {said}|^{said}"):
        aetool.compress(FRAME, **chosen)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "said"), [
    ({"path": None}, "path must be a path"),
    ({"out": 5}, "out must be a path"),
    ({"rows": 5}, r"rows must be slice\(a, b\) or \(a, b\); got 5"),
    ({"rows": (1, 2, 3)}, r"rows must be slice\(a, b\)"),
    ({"rows": (0.5, 2)}, "the first of rows must be a whole number; got 0.5"),
    ({"rows": (0, "2")}, "the end of rows must be a whole number or None; got '2'"),
    ({"columns": "a"}, r"columns must be a list of texts or None; got 'a' \(str\)"),
    ({"columns": [0]}, "columns must be a list of texts"),
    ({"max_output": "1G"}, "max_output must be a whole number or None"),
    ({"device": None}, "device must be a text"),
    ({"nothing": 1}, "no option 'nothing'"),
])  # fmt: skip
def test_options_of_decompress(tmp_path, options, said):
    aetool.compress(FRAME, tmp_path / "a.aez")
    with pytest.raises(aetool.AetoolError, match=f"decompress: {said}"):
        aetool.decompress(**{"path": tmp_path / "a.aez", **options})
    assert [path.name for path in tmp_path.iterdir()] == ["a.aez"]


def test_numbers_of_numpy_and_paths_of_any_kind_are_taken(tmp_path):
    aetool.compress(FRAME, str(tmp_path / "a.aez"))
    rows = (np.int64(1), np.int32(3))
    restored = aetool.decompress(tmp_path / "a.aez", tmp_path / "b.parquet", rows=rows)
    assert pd.read_parquet(restored)["a"].tolist() == [2.5, 3.5]
    with aetool.open(tmp_path / "a.aez") as archive:
        assert archive[1:3]["a"].tolist() == [2.5, 3.5]
        with pytest.raises(aetool.AetoolError, match=r"sliced by rows, archive\[a:b\]; got 0"):
            archive[0]


def test_options_of_other_verbs():
    for call, said in [
        (lambda: aetool.fit(FRAME, seed="x"), "fit: seed must be a whole number"),
        (lambda: aetool.fit(FRAME, drop="a"), "fit: drop must be a list of texts"),
        (lambda: aetool.detect(FRAME, top="x"), "detect: top must be a whole number or None"),
        (lambda: aetool.detect(FRAME, 5), "detect: model must be a path"),
        (lambda: aetool.load(5), "load: path must be a path"),
        (lambda: aetool.open(5), "open: path must be a path"),
    ]:
        with pytest.raises(aetool.AetoolError, match=said):
            call()
