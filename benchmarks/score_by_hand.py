"""Scores of a CSV table with the exported graph, onnxruntime and numpy alone: no aetool at run time.

    aetool export air.aem -o graphs
    python score_by_hand.py graphs air.csv     # row, score of each record that is flagged

For plain cells: decimal points, dates as 2016-03-05T00:00, times of day as 11:38:36. A cell of numbers or dates with digits that is written otherwise, as $5 or
8/29, is an error, since aetool may read it; one without digits is odd.
"""

import csv
import datetime
import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]+)?))?")
ODD = -np.finfo(np.float64).max  # of a cell that is not of its column's kind


def number_of(column: dict, cell: str, gap_words: list) -> float:
    """The number by which a graph takes a cell; column: one of model.json's columns; gap_words: of
    model.json. ValueError for a cell with digits that is not written plainly."""
    levels = column["levels"]
    # first, as a level may be a word that is a gap elsewhere, such as none
    if cell in levels:
        return levels.index(cell)
    if cell.strip().lower() in gap_words:
        return np.nan
    if column["kind"] == "category":
        # behind the levels stands any other word
        return len(levels)
    try:
        if column["kind"] != "date":
            return float(cell)
        if column["unit"] == "seconds since midnight":
            return seconds_of_day(cell)
        moment = datetime.datetime.fromisoformat(cell)
        # a moment without a zone is taken for one of UTC
        return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
    except ValueError:
        if any(character.isdigit() for character in cell):
            raise ValueError(f"{column['name']}: {cell!r} is not written plainly") from None
        return ODD


def seconds_of_day(cell: str) -> float:
    """The seconds since midnight of a time such as 11:38:36; ValueError for any other text."""
    time = TIME.fullmatch(cell)
    if time is None:
        raise ValueError(cell)
    hours, minutes, seconds = time.groups("0")
    if int(hours) > 23 or int(minutes) > 59 or float(seconds) >= 60:
        raise ValueError(cell)
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def scores_of(folder: str, table: str) -> tuple[np.ndarray, np.ndarray]:
    """(scores, whether each is flagged) of the records of a table, both (rows,)."""
    with Path(folder, "model.json").open(encoding="utf-8") as file:
        model = json.load(file)
    with Path(table).open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    columns, gap_words = model["columns"], model["gap_words"]
    x = [
        [number_of(column, record[column["name"]], gap_words) for column in columns]
        for record in records
    ]
    options = ort.SessionOptions()
    # it warns that the threshold has a default, as it is meant to
    options.log_severity_level = 3
    graph = f"{folder}/score.onnx"
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    score, anomaly = session.run(["score", "anomaly"], {"x": np.array(x)})
    return score, anomaly


if __name__ == "__main__":
    try:
        scores, flagged = scores_of(sys.argv[1], sys.argv[2])
    except ValueError as error:
        sys.exit(f"{sys.argv[2]}: {error}")
    for place in np.flatnonzero(flagged):
        print(place + 1, round(float(scores[place]), 4))
