"""Scores of a CSV table with the exported graph, onnxruntime and numpy alone: no aetool at run time.

    aetool export air.aem -o graphs
    python score_by_hand.py graphs air.csv     # row, score of each record that is flagged

For plain cells: decimal points, dates as 2016-03-05T00:00, nothing or NA in a cell that is missing.
"""

import csv
import datetime
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

ODD = -np.finfo(np.float64).max  # of a cell that is not of its column's kind


def number_of(column: dict, cell: str) -> float:
    """The number by which a graph takes a cell; column: one of model.json's columns."""
    if cell in ("", "NA"):
        return np.nan
    if column["kind"] == "category":
        levels = column["levels"]
        # behind the levels stands any other word
        return levels.index(cell) if cell in levels else len(levels)
    try:
        if column["kind"] == "date":
            moment = datetime.datetime.fromisoformat(cell)
            return moment.replace(tzinfo=datetime.UTC).timestamp()
        return float(cell)
    except ValueError:
        return ODD


def scores_of(folder: str, table: str) -> tuple[np.ndarray, np.ndarray]:
    """(scores, whether each is flagged) of the records of a table, both (rows,)."""
    with Path(folder, "model.json").open(encoding="utf-8") as file:
        columns = json.load(file)["columns"]
    with Path(table).open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    x = [[number_of(column, record[column["name"]]) for column in columns] for record in records]
    options = ort.SessionOptions()
    # it warns that the threshold has a default, as it is meant to
    options.log_severity_level = 3
    graph = f"{folder}/score.onnx"
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    score, anomaly = session.run(["score", "anomaly"], {"x": np.array(x)})
    return score, anomaly


if __name__ == "__main__":
    scores, flagged = scores_of(sys.argv[1], sys.argv[2])
    for place in np.flatnonzero(flagged):
        print(place + 1, round(float(scores[place]), 4))
