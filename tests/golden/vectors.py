"""Makes vectors.json, the test vectors of FORMAT.md for single streams; make.py runs it.

python tests/golden/vectors.py

Each vector is a plan, the streams that are known before it, the values, and the bytes they become.
Rows where a stream has no value hold null; "student" are the student's verdicts, row by row.
"""

import json
from pathlib import Path

import numpy as np

from aetool.codec import integers
from aetool.codec.plans import Plan
from aetool.codec.streams import Known, Stream

ROWS = 240
TARGET = Path(__file__).parent / "3.0" / "vectors.json"
LATER_TARGET = Path(__file__).parent / "3.1" / "vectors.json"
KEYED_TARGET = Path(__file__).parent / "3.3" / "vectors.json"
MIXED_TARGET = Path(__file__).parent / "3.8" / "vectors.json"
WIDE_TARGET = Path(__file__).parent / "3.8" / "wide_vectors.json"
REGRESSED_TARGET = Path(__file__).parent / "3.10" / "vectors.json"


def digits(seed, most):
    """Whole numbers below `most` of a linear congruential generator, low ones more often."""
    x, out = seed, []
    for _ in range(ROWS):
        x = (1103515245 * x + 12345) % 2**31
        y = (1103515245 * x + 12345) % 2**31
        out.append((x >> 16) % most * ((y >> 16) % most) // most)
        x = y
    return out


LEVELS = digits(1, 5)
GAPPED = [None if v == 2 else w for v, w in zip(digits(2, 4), digits(3, 6), strict=True)]
RUNS = [(i // 9 * 7) % 5 for i in range(ROWS)]
KNOWN = {
    "levels": (LEVELS, {"b": [0, 1, 1, 1]}),
    "gapped": (GAPPED, {"b": [0, 1, 1, 1, 1, 1], "x": 1}),
    "runs": (RUNS, {"b": [0, 1, 1, 1, 1], "x": 1}),
}
FEW = digits(4, 4)
FAR = [(-1) ** i * 10**6 if i % 29 == 7 else v for i, v in enumerate(FEW)]
WALK = np.cumsum(digits(5, 9)).tolist()
LIKE_LEVELS = [v + w // 3 for v, w in zip(LEVELS, FEW, strict=True)]
# 80 rows of noise that come again, with a row changed here and there: long and short repeats
NOISE = digits(6, 6)[:80]
AGAIN = [(v + (i % 31 == 5)) % 6 for i, v in enumerate(NOISE * 3)]
MISSES = [(v + (40 <= i < 47 or 60 <= i < 69)) % 6 for i, v in enumerate(NOISE)]
SMALL = {"b": [0, 1, 1, 1], "x": 1}
VECTORS = {
    "no feature, one lane": ({**SMALL}, (), FEW),
    "strength 3, four lanes": ({**SMALL, "k": 3, "l": 2}, (), FEW),
    "the symbol before, eight lanes": ({**SMALL, "f": [["o", [1, 2]]], "l": 3}, (), [3 - v for v in FEW]),
    "escapes": ({"b": [0, 1, 1]}, (), FAR),
    "bins of several bits": ({"b": [-4, 4, 1, 2, 8], "w": [2, 0, 1, 3, 4], "x": 1, "t": "d"}, (), WALK),
    "differences after a stable sort": ({"b": [-300, 300, 8], "w": [8, 3, 8], "t": "g", "g": 0}, ("levels",), WALK),
    "difference to a column with gaps": ({"b": [-6, 1, 1, 1, 1, 1, 1, 1, 1, 1], "t": "c", "g": 0}, ("gapped",), FEW),
    "the symbol of a column with gaps": ({**SMALL, "f": [["s", 0, [1, 2, 3]]]}, ("gapped",), FEW),
    "the value of a column with gaps": ({**SMALL, "f": [["v", 0, [1, 2]], ["v", 1, [2]]]}, ("levels", "gapped"), LIKE_LEVELS[:ROWS]),
    "whether a column moves": ({**SMALL, "f": [["o", [1]], ["e", 0]]}, ("runs",), [RUNS[i] % 4 for i in range(ROWS)]),
    "contexts that are never met": ({"b": [0, 1, 1], "x": 1, "f": [["v", 0, [1, 1, 1, 1]], ["v", 1, [1, 1, 1, 1]]]}, ("runs", "levels"), [0] * 200 + [1, 2] * 20),
    "repeats": ({"b": [0, 1, 1, 1, 1, 1], "x": 1, "f": [["o", [3]], ["m", [1, 2], 3], ["v", 0, [1, 1]]]}, ("runs",), AGAIN),
    "repeats with many misses": ({"b": [0, 1, 1, 1, 1, 1], "x": 1, "f": [["m", [1, 1, 1, 1, 1], 2]]}, (), NOISE + MISSES + NOISE),
    "a student's verdict": ({**SMALL, "f": [["n"]]}, ("student",), FEW),
    "a mask of its own": ({**SMALL, "f": [["s", 0, [1, 1]]]}, ("levels",), [None if i % 5 == 3 else v for i, v in enumerate(FEW)]),
    "every symbol is the usual one": ({**SMALL}, (), [0] * ROWS),
    "every symbol is one that the plan names": ({**SMALL, "z": 2}, (), [2] * ROWS),
}  # fmt: skip

FALL = [2**62 - i * i + v for i, v in enumerate(FEW)]
PRICE = [v * v + 3 * w + f for v, w, f in zip(LEVELS, WALK, FEW, strict=True)]
LATER = {
    "second differences": ({"b": [-9, 1, 8], "w": [3, 3, 0], "t": "s"}, (), FALL),
    "a combination": ({"b": [-4, 4, 4], "w": [2, 2, 2], "t": "l", "p": [2, [7, 0, 0], [-3, 1, 0], [2, 2, 3]]}, ("levels", "gapped", "runs"), WALK),
    "a product, and a divisor": ({"b": [-1, 1, 1], "w": [0, 0, 9], "t": "l", "p": [3, [-5, 0, 0, 1, 1], [1, 0, 2]]}, ("levels", "runs"), PRICE),
    "a sum beyond 64 bits": ({"b": [0], "w": [63], "t": "l", "p": [1, [2**40, 0, 0, 0, 0], [2**40, 0, 0, 0, 1]]}, ("far",), FEW),
    "the difference of a combination": ({"b": [-8, 8, 8], "w": [3, 3, 4], "t": "m", "p": [1, [1, 0, 1], [1, 1, 0]]}, ("levels", "gapped"), WALK),
    "a combination in a mask": ({"b": [-8, 8, 8], "w": [3, 3, 4], "t": "m", "p": [10, [15, 0, 0]]}, ("runs",), [None if i % 5 == 3 else v for i, v in enumerate(WALK)]),
}  # fmt: skip
THINGS = digits(7, 40)
OF_THINGS = [v * v % 23 + (i % 50 == 3) for i, v in enumerate(THINGS)]
OTHERS = digits(8, 50)
OF_OTHERS = [v * v % 23 for v in OTHERS]
RESULTS = {"b": [-32, 32], "w": [5, 5], "t": "k", "g": 0, "f": [["k"]]}
KEYED = {
    "the value under the same key": (RESULTS, ("things",), OF_THINGS),
    "a key in a mask": ({**RESULTS, "x": 1}, ("things",), [None if i % 5 == 3 else v for i, v in enumerate(OF_THINGS)]),
    "the value under the same key of a pair": ({**RESULTS, "j": [1, 2], "f": [["o", [1]], ["k"]]}, ("things", "others", "of others"), OF_THINGS),
    "a pair with a gap, and a mask": ({**RESULTS, "j": [1, 2], "l": 1}, ("things", "gapped", "of others"), [None if i % 7 == 3 else v for i, v in enumerate(OF_THINGS)]),
    "keys and values beyond 64 bits": ({"b": [0], "w": [63], "t": "k", "g": 1, "j": [0, 1]}, ("things", "far"), [(-1) ** i * (2**63 - 1 - i) for i in range(ROWS)]),
}  # fmt: skip
LIKE_FEW = [v + (i % 13 == 4) for i, v in enumerate(FEW)]
OWN = {"f": [["o", [1, 2]]]}
ASIDE = {"f": [["s", 0, [1, 2, 3]], ["o", [1]], ["v", 1, [2]]]}
STEPS = {"b": [-4, 4, 1, 2, 8], "w": [2, 0, 1, 3, 4], "x": 1, "t": "d"}
FALLING = {"b": [-8, 4, 3], "w": [2, 1, 1], "t": "d"}
MIXED = {
    "mixed, of its own symbols": ({**SMALL, "c": [0]}, (), FEW),
    "mixed, the class of the symbol before": ({**SMALL, **OWN, "c": [0]}, (), [3 - v for v in FEW]),
    "mixed, with features": ({**SMALL, **ASIDE, "c": [0]}, ("levels", "gapped"), FEW),
    "mixed, two symbols": ({"b": [0, 1], "x": 1, "c": [63]}, (), [v % 2 for v in FEW]),
    "mixed, by the symbol of another": ({**SMALL, "c": [0, 0]}, ("gapped",), FEW),
    "mixed, by four others": ({**SMALL, "c": [0, 1, -1, 2, -3]}, ("levels", "gapped", "runs"), FEW),
    "mixed, by low bits of values": ({**SMALL, "c": [0, -1]}, ("far",), FEW),
    "mixed, escapes": ({"b": [0, 1, 1], "c": [0]}, (), FAR),
    "mixed, differences": ({**STEPS, "c": [2]}, (), WALK),
    "mixed, differences beside another": ({**STEPS, "c": [3, -1]}, ("levels",), WALK),
    "mixed, levels below 0": ({**FALLING, "c": [2]}, (), [-v for v in WALK]),
    "mixed, differences beyond 64 bits": ({**FALLING, "c": [61]}, (), [(-1) ** i * (2**63 - 1 - i) for i in range(ROWS)]),
    "mixed, a mask of its own": ({**SMALL, "c": [0, 0]}, ("levels",), [None if i % 5 == 3 else v for i, v in enumerate(LIKE_FEW)]),
    "mixed, under a key": ({**RESULTS, "c": [0, 0]}, ("things",), OF_THINGS),
    "mixed, a student's verdict": ({**SMALL, "f": [["n"]], "c": [0]}, ("student",), FEW),
    "mixed, every symbol is the usual one": ({**SMALL, "z": 2, "c": [0]}, (), [2] * ROWS),
}  # fmt: skip
# of the wide mixtures what another has not: means, recent symbols, classes of many symbols
DAYS = [i * 7 % 12 for i in range(ROWS)]
BY_DAY = [(v + d // 3 + i // 60) % 4 for i, (v, d) in enumerate(zip(FEW, DAYS, strict=True))]
WIDE = {
    "wide, of its own symbols": ({**SMALL, "d": [0]}, (), FEW),
    "wide, with features": ({**SMALL, **ASIDE, "d": [0]}, ("levels", "gapped"), FEW),
    "wide, two symbols": ({"b": [0, 1], "x": 1, "d": [63]}, (), [v % 2 for v in FEW]),
    "wide, what came last": ({**SMALL, "d": [0, 0]}, ("days",), BY_DAY),
    "wide, classes of two": ({**SMALL, "d": [0, 1, 0]}, ("days", "gapped"), BY_DAY),
    "wide, by four others": ({**SMALL, "d": [0, -1, 1, 2, -4]}, ("days", "levels", "gapped", "runs"), BY_DAY),
    "wide, by low bits of values": ({**SMALL, "d": [0, -1]}, ("far",), FEW),
    "wide, escapes": ({"b": [0, 1, 1], "d": [0]}, (), FAR),
    "wide, differences": ({**STEPS, "d": [2]}, (), WALK),
    "wide, differences beside another": ({**STEPS, "d": [1, -1]}, ("levels",), WALK),
    "wide, levels below 0": ({**FALLING, "d": [0]}, (), [-v for v in WALK]),
    "wide, differences beyond 64 bits": ({**FALLING, "d": [0]}, (), [(-1) ** i * (2**63 - 1 - i) for i in range(ROWS)]),
    "wide, a mask of its own": ({**SMALL, "d": [0, 0]}, ("days",), [None if i % 5 == 3 else v for i, v in enumerate(BY_DAY)]),
    "wide, under a key": ({**RESULTS, "d": [0, 0]}, ("things",), OF_THINGS),
    "wide, every symbol is the usual one": ({**SMALL, "z": 2, "d": [0]}, (), [2] * ROWS),
}  # fmt: skip
# with a regression: of numbers before, of other streams, of bins and values at the ends of 64 bits
REGRESSED_STEPS = {**STEPS, "d": [2]}
ENDS = [(-1) ** i * (2**63 - 1 - i * i) for i in range(ROWS)]
QUARTERS = {"b": [-(2**63), 2**62, 2**62, 2**62], "w": [62] * 4, "x": 1}
SEVERAL = ("levels", "gapped", "runs", "far")
REGRESSED = {
    "regression, of its own numbers": ({**SMALL, "d": [0], "n": []}, (), FEW),
    "regression, bins of several bits": ({**REGRESSED_STEPS, "n": []}, (), WALK),
    "regression, beside another": ({**SMALL, "d": [0, 0], "n": [0]}, ("days",), BY_DAY),
    "regression, as it was before": ({**SMALL, **OWN, "d": [0], "n": [-1, 0]}, ("levels",), [FEW[0], *FEW[:-1]]),
    "regression, beside gaps": ({**REGRESSED_STEPS, "n": [0, -1]}, ("gapped",), WALK),
    "regression, of six": ({**REGRESSED_STEPS, "n": [0, 1, -2, 2, 3, -4]}, SEVERAL, WALK),
    "regression, of none that moves": ({**SMALL, "d": [0], "n": [0, -1, 1, -2]}, ("still", "nothing"), FEW),
    "regression, a mask of its own": ({**SMALL, "d": [0, 0], "n": [0, -1]}, ("gapped",), [None if i % 5 == 3 else v for i, v in enumerate(FEW)]),
    "regression, bins that overlap": ({**SMALL, "w": [63, 0, 2, 0], "d": [0], "n": [0]}, ("levels",), FEW),
    "regression, to the ends of 64 bits": ({**QUARTERS, "d": [0], "n": [0, -1]}, ("ends",), [-v for v in ENDS]),
    "regression, under a key": ({**RESULTS, "b": [-32, 16, 16], "w": [4, 4, 5], "x": 1, "d": [0, 0], "n": [0]}, ("things",), OF_THINGS),
    "regression, every symbol is the usual one": ({**SMALL, "z": 2, "d": [0], "n": []}, (), [2] * ROWS),
}  # fmt: skip
KNOWN |= {
    "ends": (ENDS, {"b": []}),
    "still": ([5] * ROWS, {"b": [5], "x": 1}),
    "nothing": ([None] * ROWS, {"b": []}),
    "days": (DAYS, {"b": [0] + [1] * 11, "x": 1}),
    "things": (THINGS, {"b": []}),
    "others": (OTHERS, {"b": []}),
    "of others": (OF_OTHERS, {"b": []}),
}
KNOWN["far"] = ([3 * 10**11 - i * 10**9 for i in range(ROWS)], {"b": []})


def stream_of(values):
    """A stream of values, None where it has none."""
    present = np.array([v is not None for v in values])
    own = np.array([v for v in values if v is not None], np.int64)
    return Stream(own, None if present.all() else present)


def known_of(streams):
    """What is known of columns before; streams: [values, plan] each, or ["student", verdicts]."""
    known = Known(ROWS)
    for values, plan in streams:
        if values == "student":
            known.predict = lambda number, known, verdicts=plan: np.array(verdicts)
        else:
            integers.forward(Plan.from_json(plan), stream_of(values), known)
    return known


def main():
    """Write the vectors; those that are there are never made anew."""
    made = (
        (VECTORS, TARGET),
        (LATER, LATER_TARGET),
        (KEYED, KEYED_TARGET),
        (MIXED, MIXED_TARGET),
        (WIDE, WIDE_TARGET),
        (REGRESSED, REGRESSED_TARGET),
    )
    for vectors, target in made:
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            write(vectors, target)


def write(vectors, target):
    """Write some vectors."""
    out = {}
    for name, (plan, names, values) in vectors.items():
        before = [
            ["student", [v * 50 for v in LEVELS]] if n == "student" else list(KNOWN[n])
            for n in names
        ]
        data = integers.encode(Plan.from_json(plan), stream_of(values), known_of(before))
        out[name] = {"plan": plan, "known": before, "values": values, "bytes": data.hex()}
    lines = [f"{json.dumps(name)}: {json.dumps(vector)}" for name, vector in out.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
