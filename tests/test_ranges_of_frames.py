"""The index of a DataFrame that is a range of its own is that of each slice of its archive."""

import pandas as pd
import pytest

import aetool


@pytest.mark.parametrize("columns", [None, ["a"]])
@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(1, 201, name="rownames"),
        pd.RangeIndex(400, 0, -2),
        pd.RangeIndex(200, name="n"),
        pd.RangeIndex(200),
        pd.Index([f"r{n}" for n in range(200)], name="who"),
    ],
)
def test_a_slice_has_its_part_of_the_index(index, columns, tmp_path):
    frame = pd.DataFrame({"a": range(200), "b": range(0, 400, 2)}).set_index(index)
    aetool.compress(frame, tmp_path / "f.aez")
    chosen = ["a", "b"] if columns is None else columns
    with aetool.open(tmp_path / "f.aez") as archive:
        pd.testing.assert_frame_equal(archive[:], frame)
    named = columns if columns is None or index.name != "who" else [*columns, "who"]
    with aetool.open(tmp_path / "f.aez", columns=named) as archive:
        part = archive[100:103]
        expected = frame[100:103][chosen]
        # numbers from 0 are no index of its own
        if index.equals(pd.RangeIndex(200)) and index.name is None:
            expected = expected.reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected)
        assert archive[50:50].empty
