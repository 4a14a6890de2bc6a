"""Planted sensors: what the default threshold flags, and the column that is named first.

The table is made here: a pump of nine sensors a minute, with a daily cycle, loads that come and go, and
correlated noise, for two weeks clean and one week in which at most 1 % of the rows hold one tampered
value: a spike, a value that sticks (for 5 to 30 minutes), or a broken relation (the value of another
time of day). A tampered value that lies within the sensor's own noise of the true one is not counted.
Detected without any option: by the model that `fit` makes of the clean weeks, and without a model on
the third week alone.
"""

from __future__ import annotations

import common
import numpy as np
import pandas as pd

from aetool import operations
from aetool.detection.ranking import average_precision
from aetool.operations import Detection

DAY, CLEAN_DAYS, DAYS = 1440, 14, 21
PART = 0.01  # of the rows of the last week
LEAST = 4.0  # deviations of a sensor about what the others say: less is no tampering


def series(rng: np.random.Generator, rows: int, memory: float) -> np.ndarray:
    """(rows,): a random autoregressive series of first order, of deviation 1."""
    noise = rng.standard_normal(rows) * np.sqrt(1 - memory**2)
    out = np.zeros(rows)
    for i in range(1, rows):
        out[i] = memory * out[i - 1] + noise[i]
    return out


def clean(rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, float]]:
    """Make three weeks of readings without a fault: the table, and the noise of each sensor."""
    rows = DAYS * DAY
    minute = np.arange(rows)
    day = np.sin(2 * np.pi * (minute / DAY - 0.3))
    load = np.clip(55 + 15 * day + 12 * series(rng, rows, 0.995), 10, 100)
    ambient = 18 + 6 * day + 1.5 * series(rng, rows, 0.999)
    noise = {"load": 0.8, "flow": 0.6, "pressure": 0.05, "power": 0.5, "speed": 6.0,
             "inlet": 0.15, "outlet": 0.2, "bearing": 0.3, "humidity": 0.8}  # fmt: skip
    flow = 0.9 * load + 5
    pressure = 1.2 + 0.0006 * flow**2
    power = 2 + 0.11 * flow * pressure
    inlet = ambient + 4
    truth = {
        "load": load,
        "flow": flow,
        "pressure": pressure,
        "power": power,
        "speed": 900 + 11 * load,
        "inlet": inlet,
        "outlet": inlet + 0.12 * power,
        "bearing": 25 + 0.35 * load + 0.5 * ambient,
        "humidity": np.clip(75 - 2.2 * (ambient - 18) + 4 * series(rng, rows, 0.999), 5, 100),
    }
    digits = {"pressure": 3, "speed": 0}
    frame = pd.DataFrame(
        {
            k: (v + noise[k] * rng.standard_normal(rows)).round(digits.get(k, 2))
            for k, v in truth.items()
        }
    )
    start = pd.Timestamp("2026-03-02")
    frame.insert(0, "time", (start + pd.to_timedelta(minute, "min")).strftime("%Y-%m-%d %H:%M:%S"))
    return frame, noise


def plant(
    frame: pd.DataFrame, noise: dict[str, float], rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[int, tuple[str, str]]]:
    """Return a copy of the table whose last week is tampered with, and by row the (column, kind) of
    each change."""
    week = frame.iloc[CLEAN_DAYS * DAY :].reset_index(drop=True)
    before, moved = week.copy(), {}
    sensors, budget = list(noise), int(PART * len(week))

    def put(row: int, column: str, value: float, kind: str) -> None:
        if row not in moved and abs(value - before.loc[row, column]) > LEAST * noise[column]:
            week.loc[row, column] = value
            moved[row] = (column, kind)

    while len(moved) < budget:
        row, column = int(rng.integers(0, len(week) - 40)), str(rng.choice(sensors))
        kind = ("spike", "stuck", "broken")[int(rng.integers(0, 3))]
        if kind == "spike":
            step = rng.uniform(8, 25) * noise[column] * rng.choice([-1, 1])
            put(row, column, round(float(before.loc[row, column] + step), 3), kind)
        elif kind == "stuck":
            for later in range(row + 1, row + 1 + int(rng.integers(5, 31))):
                if len(moved) < budget:
                    put(later, column, float(before.loc[row, column]), kind)
        else:
            put(row, column, float(before.loc[int(rng.integers(0, len(week))), column]), kind)
    return week, moved


def figures(found: Detection, moved: dict[int, tuple[str, str]]) -> dict[str, float]:
    """Precision, recall (also of each kind), and how often the tampered column is named."""
    rows = found.row.tolist()
    named = {
        r: [name for name, _, _ in reasons] for r, reasons in zip(rows, found.named, strict=True)
    }
    hits = [r for r in rows if r in moved]
    out = {
        "flagged": len(rows),
        "precision": len(hits) / max(len(rows), 1),
        "recall": len(hits) / len(moved),
        "first": np.mean([named[r][:1] == [moved[r][0]] for r in hits]) if hits else 0.0,
        "among_three": np.mean([moved[r][0] in named[r] for r in hits]) if hits else 0.0,
    }
    for kind in ("spike", "stuck", "broken"):
        own = [r for r, (_, k) in moved.items() if k == kind]
        out[f"recall_{kind}"] = sum(r in set(rows) for r in own) / max(len(own), 1)
    return {k: round(float(v), 4) for k, v in out.items()}


def main() -> None:
    """For each seed plant changes and detect, and print the figures."""
    parser = common.parser(__doc__)
    parser.set_defaults(seeds=3)
    parser.add_argument("--plugins", default="auto,pca,denoising,masked")
    options = parser.parse_args()
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        frame, noise = clean(rng)
        week, moved = plant(frame, noise, rng)
        for plugin in [*options.plugins.split(","), "one-shot"]:
            bundle = None
            if plugin != "one-shot":
                chosen = operations.FitOptions(plugin=plugin, seed=seed)
                bundle = operations.fit(frame.iloc[: CLEAN_DAYS * DAY], chosen)
            every = operations.detect(week, bundle, all_rows=True)
            average = average_precision(every.score, np.isin(every.row, list(moved)))
            for fpr in (None, 0.001):
                found = operations.detect(week, bundle, fpr=fpr)
                row = {"detector": plugin, "seed": seed, "threshold": fpr or "default"}
                row |= {"rows": len(week), "planted": len(moved), **figures(found, moved)}
                row["auprc"] = round(average, 4)
                common.record("sensors", row, seeds=seed, data=frame)
                print(row, flush=True)


if __name__ == "__main__":
    main()
