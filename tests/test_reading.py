"""How columns are read beside each other and in other files, and how that is said."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aetool.columns.schema import Schema, infer, understood, understood_briefly
from aetool.data.sources import open_source


def schema_of(data: object) -> Schema:
    source = open_source(data)
    table, _ = source.sample(1000, 0)
    return infer(table, dtypes=source.dtypes)


def test_every_column_that_is_left_out_is_named_in_few_lines() -> None:
    columns: dict[str, object] = {f"id{i}": np.arange(40.0) for i in range(20)}
    columns |= {f"note{i}": [f"text {i} of {j}" for j in range(40)] for i in range(10)}
    columns |= {f"x{i}": np.random.default_rng(i).normal(size=40) for i in range(20)}
    schema = schema_of(pd.DataFrame(columns))
    lines = understood_briefly(schema, 12)
    assert len(lines) == 12
    assert lines[0].startswith("id0, id1, ")
    assert lines[0].endswith("id19: an identifier; not modelled")
    assert lines[1].startswith("note0, note1, ") and "note9: text" in lines[1]
    assert lines[2].startswith("x0: numbers")
    assert lines[11] == "and 11 more columns: --explain-columns"
    assert len(understood(schema)) == 50
    assert understood_briefly(schema, 50) == understood(schema)
