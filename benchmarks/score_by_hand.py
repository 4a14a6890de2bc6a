"""Scores of a CSV table with the exported graph, onnxruntime and numpy alone: no aetool at run time.

    aetool export air.aem -o graphs
    python score_by_hand.py graphs air.csv          # row, score of each record that is flagged
    python score_by_hand.py graphs air.csv --all    # of every record, and which are anomalies

For plain cells: decimal points, dates as 2016-03-05T00:00, times of day as 11:38:36. A cell of
numbers or dates with digits that is written otherwise, as $5 or 8/29, is an error, since aetool may
read it; one without digits is odd. Words are read as model.json says.
"""

import argparse
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


def numbers_of(column: dict, cells: list, gap_words: set) -> list:
    """The numbers by which a graph takes the cells of a column; column: one of model.json's columns;
    gap_words: of model.json. ValueError for a cell with digits that is not written plainly."""
    places = {meaning_of(column, level): n for n, level in enumerate(column["levels"])}
    # some words that are gaps elsewhere are values here, such as none
    gap_words = gap_words - set(column.get("not_gaps", []))
    numbers = []
    for cell in cells:
        if cell.strip().casefold() in gap_words:
            numbers.append(np.nan)
        elif column["kind"] == "category":
            numbers.append(places.get(meaning_of(column, cell), column["other"]))
        else:
            numbers.append(measured(column, meaning_of(column, cell)))
    return numbers


def meaning_of(column: dict, cell: str) -> str | float:
    """What all cells have in common that mean the same in a column: yes, Y and true, or 12 and 12.0."""
    word = cell.strip()
    word = column.get("spellings", {}).get(word.casefold(), word)
    is_number = "numbers" in column and re.fullmatch(column["numbers"], word)
    return float(word) if is_number else word


def measured(column: dict, word: str) -> float:
    """The number of a cell of a column of numbers or dates; ODD for one without digits."""
    try:
        if column["kind"] != "date":
            return float(word)
        if column["unit"] == "seconds since midnight":
            return seconds_of_day(word)
        moment = datetime.datetime.fromisoformat(word)
        # a moment without a zone is taken for one of UTC
        return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()
    except ValueError:
        if any(character.isdigit() for character in word):
            raise ValueError(f"{column['name']}: {word!r} is not written plainly") from None
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
    if "context" in model:
        raise ValueError("the model judges a record beside those before it: not done here")
    # some programs put a byte order mark in front
    with Path(table).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        records, header = list(reader), reader.fieldnames or []
    x = []
    for column in model["columns"]:
        name = column["name"]
        if name not in header:
            raise ValueError(f"column {name!r} is missing; there are {', '.join(header) or 'none'}")
        cells = [record[name] for record in records]
        x.append(numbers_of(column, cells, set(model["gap_words"])))
    options = ort.SessionOptions()
    # it warns that the threshold has a default, as it is meant to
    options.log_severity_level = 3
    graph = f"{folder}/score.onnx"
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    score, anomaly = session.run(["score", "anomaly"], {"x": np.array(x, dtype=np.float64).T})
    return score, anomaly


def main(arguments: list | None = None) -> None:
    """Print the scores of a table."""
    parser = argparse.ArgumentParser(description="Scores of a CSV table by an exported model.")
    parser.add_argument("folder", help="what aetool export wrote")
    parser.add_argument("table", help="a CSV table")
    parser.add_argument("--all", action="store_true", help="every record, not only anomalies")
    chosen = parser.parse_args(arguments)
    try:
        scores, flagged = scores_of(chosen.folder, chosen.table)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{chosen.table}: {error}")
    for row, (score, is_flagged) in enumerate(zip(scores.tolist(), flagged, strict=True), 1):
        if chosen.all:
            print(row, round(score, 4), "anomaly" if is_flagged else "ordinary")
        elif is_flagged:
            print(row, round(score, 4))


if __name__ == "__main__":
    main()
