"""Makes the golden archives of the stages that came after 3.0; make.py makes those of 3.0.

python tests/golden/stages.py NAME...

Each is a table for which the stage pays, and its archive. An archive that is there is never made
anew: name those that are.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np

from aetool import operations
from aetool.codec import planning
from aetool.operations import CompressOptions, FitOptions

HOME = Path(__file__).parent / "3.1"
LATER = Path(__file__).parent / "3.3"
LAST = Path(__file__).parent / "3.5"
FLOATS = Path(__file__).parent / "3.6"
FIELDS = Path(__file__).parent / "3.7"
MIXTURES = Path(__file__).parent / "3.8"
NOTATIONS = Path(__file__).parent / "3.9"
REGRESSIONS = Path(__file__).parent / "3.10"
COMPUTED = Path(__file__).parent / "3.14"
COMMON = Path(__file__).parent / "3.15"
ORIGINS = Path(__file__).parent / "3.16"
COMPOSED = Path(__file__).parent / "3.17"
TEXTS = Path(__file__).parent / "3.18"
CORRECTED = Path(__file__).parent / "3.19"
QUOTIENTS = Path(__file__).parent / "3.20"
DEMO = Path(__file__).parents[2] / "aetool" / "demo" / "beijing_air.csv"


def prices(rows=900):
    """Two columns that draw from the same few long numbers, in order of time."""
    rng = np.random.default_rng(11)
    book = np.sort(rng.integers(10**9, 10**11, 60))
    walk = np.clip(np.cumsum(rng.integers(-2, 3, rows)) + 30, 0, 59)
    near = np.clip(walk + rng.integers(-1, 2, rows), 0, 59)
    lines = [f"{book[a]},{book[b]}\n" for a, b in zip(walk, near, strict=True)]
    return "bid,ask\n" + "".join(lines)


def moved(rows=1500):
    """Decimals that arithmetic has moved, floats that are no decimals, and odd cells."""
    rng = np.random.default_rng(12)
    sums = [float(a) / 10 + 0.1 for a in rng.integers(-20, 900, rows)]
    means = rng.normal(size=rows).tolist()
    lines = [f"{a!r},{b!r}\n" for a, b in zip(sums, means, strict=True)]
    lines[7], lines[8] = "-0.0,NA\n", "1e-05,0.10\n"
    return "sum,mean\n" + "".join(lines)


def words(rows=120):
    """Lines of a log: too few and too irregular for columns."""
    rng = np.random.default_rng(13)
    verbs = ["opened", "closed", "moved to", "lost"]
    lines = []
    for minute in range(rows):
        door, verb = rng.integers(1, 5), rng.integers(0, 4)
        again = " again" if door == 3 else ""
        when = f"{12 + minute // 60}:{minute % 60:02d}"
        lines.append(f"{when} door {door},{verbs[verb]} room {door + verb}{again}\n")
    return "when,what\n" + "".join(lines)


def totals(rows=1200):
    """Prices times counts, with a fee, and a track that moves steadily."""
    rng = np.random.default_rng(14)
    price, count = rng.integers(100, 99999, rows), rng.integers(1, 400, rows)
    fee = rng.integers(0, 5000, rows)
    track = np.cumsum(np.cumsum(rng.integers(-1, 2, rows))) + 10**8
    lines = [
        f"{p / 100:.2f},{c},{p * c / 100:.2f},{f / 100:.2f},{(p * c + f) / 100:.2f},{t}\n"
        for p, c, f, t in zip(price, count, fee, track, strict=True)
    ]
    return "price,count,cost,fee,total,track\n" + "".join(lines)


def keys(rows=1500):
    """Players by numbers and by names, who win and lose; what is told of each changes seldom."""
    rng = np.random.default_rng(15)
    names = ["".join(rng.choice(list("aeioklmnrst"), 9)) for _ in range(90)]
    numbers = np.sort(rng.integers(10**5, 10**6, 90))
    heights, points = rng.integers(160, 205, 90), rng.integers(100, 9000, 90)
    lines = []
    for winner, loser in rng.integers(0, 90, (rows, 2)).tolist():
        told = [(numbers[who], names[who], heights[who], points[who]) for who in (winner, loser)]
        lines.append(",".join(str(cell) for one in told for cell in one) + "\n")
        points[winner] += 10 * (winner % 4 == 0)
    roles = [
        f"{role}_{what}" for role in ("winner", "loser") for what in ("id", "name", "ht", "points")
    ]
    return ",".join(roles) + "\n" + "".join(lines)


def sentences(rows=600):
    """Sentences with numbers in them; identities and numbers of a fixed width; odd cells."""
    rng = np.random.default_rng(16)
    number, object_, lines = 400, 0x65F0_0000_0000, []
    for row in range(rows):
        object_ += int(rng.integers(1, 1 << 20))
        number += int(rng.integers(1, 4))
        raw = rng.bytes(16).hex()
        identity = "-".join([raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]])
        kinds = [
            f"order ORD-{number} of 10.0.{rng.integers(0, 4)}.{rng.integers(1, 255)} took {rng.gamma(2, 9):.1f} ms",
            f"user {rng.integers(100, 999)} came at 2026-03-01 {6 + row // 60:02d}:{row % 60:02d}:00",
            f"release 2.{rng.integers(0, 9)}.{rng.integers(0, 40)}",
        ]
        event = kinds[int(rng.integers(0, 3))] if row % 97 else "nothing"
        lines.append(f"{identity},{event},{object_:012X},id-{number:07d}\n")
    lines[5] = "none,a \u00e9,0,\n"
    return "identity,event,code,id\n" + "".join(lines)


def numbers(rows=800):
    """Numbers of few different values in types of their own: floats beside decimals, two columns
    with the same ones, gaps, whole numbers, and floats of 32 bits."""
    import pyarrow as pa

    rng = np.random.default_rng(17)
    prices = rng.integers(1000, 99999, 60) / 1000 * 3 + 0.1
    walk = np.clip(np.cumsum(rng.integers(-2, 3, rows)) + 30, 0, 59)
    near = np.clip(walk + rng.integers(-1, 2, rows), 0, 59)
    stamps = np.sort(rng.integers(10**12, 10**17, 50))
    noise = rng.normal(size=40)
    return pa.table({
        "bid": prices[walk],
        "ask": pa.array(prices[near], mask=rng.random(rows) < 0.05),
        "stamp": stamps[rng.integers(0, 50, rows)],
        "factor": noise[walk % 40],
        "single": noise[near % 40].astype("f4"),
    })  # fmt: skip


def remarks(rows=700):
    """Text in types of its own: two columns that draw from the same words, sentences, identities;
    gaps in all of them."""
    import pyarrow as pa

    rng = np.random.default_rng(18)
    words = sorted({f"{stem}-{rng.integers(0, 10**9):09d}" for stem in ["oak", "elm", "fir"] * 20})
    walk = np.clip(np.cumsum(rng.integers(-2, 3, rows)) + 30, 0, len(words) - 1)
    near = np.clip(walk + rng.integers(-1, 2, rows), 0, len(words) - 1)
    told = [
        f"door {k % 7} of order {40000 + 3 * k} shut after {k * k % 977 / 10} s"
        for k in range(rows)
    ]
    keys = [rng.bytes(4).hex() for _ in range(rows)]
    gaps = rng.random((4, rows)) < 0.05
    return pa.table({
        "first": pa.array([words[k] for k in walk], mask=gaps[0]),
        "second": pa.array([words[k].encode() for k in near], pa.binary(), mask=gaps[1]),
        "told": pa.array(told, pa.large_string(), mask=gaps[2]),
        "key": pa.array([f"{key}/{key[::-1]}" for key in keys], mask=gaps[3]),
    })  # fmt: skip


def ratios(rows=900):
    """Ratios of nine digits with whole numbers among them, where something was not divided: as few
    digits as say them, and with zeros; odd cells and gaps."""
    rng = np.random.default_rng(19)
    lines = []
    for row in range(rows):
        ratio, owed = f"{rng.random() * 2:.9f}".rstrip("0"), str(rng.integers(-90, 6000))
        measured = f"{rng.gamma(2, 4):.6f}" if row % 3 else f"{rng.integers(0, 40)}.50"
        dated = f"{rng.gamma(2, 4):.7f}" if row % 4 else f"{rng.integers(0, 40)}.0"
        lines.append(f"{ratio if row % 5 else owed},{measured},{dated}\n")
    lines[3], lines[4] = "NA,,1e5\n", "-0.000000001,-7.50,-0.5000001\n"
    return "ratio,measured,dated\n" + "".join(lines)


def quotients(rows=400):
    """Minutes as hours, months as years, minutes and seconds as degrees, means, and days as years,
    with all digits, with fifteen, and rounded in each way; odd cells, decimals and gaps."""
    rng = np.random.default_rng(47)
    lines = []
    for row in range(rows):
        minutes, months = rng.integers(90, 320), rng.integers(20, 90000)
        seconds = rng.integers(-200000, 200000) * (60 if row % 3 else 1)
        degrees = f"{seconds / 3600:.5f}" if row % 4 else f"{rng.normal() * 40:.5f}"
        cut = f"{int(months * 1000 / 12) / 1000:.3f}"
        halves = f"{np.floor(minutes / 16 * 100 + 0.5) / 100:.2f}"
        mean, days = float(rng.integers(40, 900)) / 7, float(rng.integers(9000, 29000)) / 365.25
        lines.append(f"{minutes / 60:.3f},{degrees},{cut},{halves},{mean!r},{days:.15g}\n")
    lines[3], lines[4] = "NA,,0.500,-0.19,NA,1e5\n", "-2.283,0.00001,-7.083,,0.25,-0.5000001\n"
    return "hours,degrees,years,pounds,mean,age\n" + "".join(lines)


def typed_quotients(rows=400):
    """The same in columns of doubles, some values missing, not a number, or no quotients."""
    import pyarrow as pa

    rng = np.random.default_rng(53)
    days = rng.integers(9000, 29000, rows) / 365.25
    days[5], days[6], days[7:90:8] = np.nan, -0.0, rng.random(11)
    hours = np.round(rng.integers(90, 320, rows) / 60, 3)
    fifteen = [float(f"{k / 7:.15g}") for k in rng.integers(40, 9000, rows)]
    return pa.table({
        "age": days,
        "hours": pa.array(hours, mask=np.arange(rows) % 70 == 3),
        "mean": fifteen,
    })  # fmt: skip


def singles(rows=900):
    """Prices that were floats of 32 bits once: printed with six digits behind the point, a few of
    them by another program, and with all the digits that a float of 64 bits needs; gaps."""
    rng = np.random.default_rng(23)
    prices = (np.cumsum(rng.integers(-40, 41, (rows, 2)), axis=0) + 90000) / 100
    lines = []
    for row, (bid, ask) in enumerate(prices.astype(np.float32).astype(float).tolist()):
        six = f"{bid:.6f}".rstrip("0").rstrip(".") if row % 29 else f"{row}.123457"
        lines.append(f"{six},{ask!r},{row * 7919 % 1000003}\n")
    lines[5], lines[6] = ",,0\n", "NA,1e-05,1\n"
    return "bid,ask,volume\n" + "".join(lines)


def doubles(rows=900):
    """The same in columns of doubles, some values missing, not a number, or of more digits."""
    import pyarrow as pa

    rng = np.random.default_rng(29)
    bid = ((np.cumsum(rng.integers(-40, 41, rows)) + 90000) / 100).astype(np.float32).astype(float)
    ask = bid.copy()
    ask[::90] += rng.random(10) / 1000
    ask[5], ask[6] = np.nan, -0.0
    return pa.table({"bid": bid, "ask": pa.array(ask, mask=np.arange(rows) % 70 == 3)})


def fields():
    """Smooth fields of floats: of 32 bits, with no numbers of several bits, infinity, -0, a still
    part and the smallest numbers among them; of 64 bits, in two axes and in four, the first axis
    innermost and the bytes turned round. And noise, of which neighbours tell nothing."""
    rng = np.random.default_rng(31)
    x, y, z = np.meshgrid(*3 * [np.linspace(0, 1, 18)], indexing="ij")
    cube = (np.sin(7 * x + 3 * y) * np.cos(5 * z) + 300).astype("<f4")
    cube[4:7, 5:9, 2:7] = np.nan
    cube[5, 6, 3] = np.array(0xFFC00123, "<u4").view("<f4")
    cube[9, 9, 9], cube[10, 3, 4], cube[10, 3, 5] = np.inf, -np.inf, -0.0
    cube[14:, :3] = 0.0
    cube[14:, 15:] *= np.float32(1e-43)
    sheet = np.exp(np.linspace(0, 3, 70))[:, None] * np.sin(np.linspace(0, 9, 80))
    sheet[40:44, 11] *= 1e307
    frame, part, row, place = np.meshgrid(*map(np.arange, (9, 3, 14, 13)), indexing="ij")
    film = np.sin(0.31 * frame + part * part + 0.07 * row) * np.exp(0.03 * row * place / (1 + part))
    return {
        "cube": cube,
        "sheet": np.asfortranarray(sheet),
        "film": film.astype(">f8"),
        "noise": rng.normal(size=(5, 6, 7)).astype("<f4"),
    }


def mixtures(rows=4200):
    """Whole numbers that earlier rows and other columns tell a part of, each in a way of its own:
    more rows than a joined block has. Some are missing, and few are far from all others."""
    rng = np.random.default_rng(41)
    walk = np.cumsum(rng.integers(-1, 2, rows)) % 40
    level = walk * 7 % 23 + rng.integers(0, 3, rows)
    group = (walk + level) // 3 % 11 + (rng.random(rows) < 0.05)
    steady = np.abs(np.cumsum(rng.integers(-3, 4, rows))) + 10 * group
    steady[::700] += 10**7
    lines = []
    for place, cells in enumerate(zip(walk, level, group, steady, strict=True)):
        line = [str(cell) for cell in cells]
        if place % 61 == 7:
            line[1] = ""
        lines.append(",".join(line) + "\n")
    return "walk,level,group,steady\n" + "".join(lines)


def weekly(rows=4300):
    """Loads that are as at the same hour of the day before, with a season, and what follows from
    them: columns that a wide mixture tells better, see symbol_contexts."""
    rng = np.random.default_rng(43)
    place = np.arange(rows)
    hour = place % 24
    usual = rng.integers(20, 60, 24)
    lines = []
    for at in range(rows):
        if rng.random() < 0.1:
            usual[hour[at]] += rng.integers(-3, 4)
        load = usual[hour[at]] + rng.integers(-1, 2)
        drift = int(15 * np.sin(at / 300)) + rng.integers(-2, 3)
        share = (load * 3 + drift) // 7
        lines.append(f"{hour[at]},{load},{drift},{share}\n")
    return "hour,load,drift,share\n" + "".join(lines)


def written(value, places, decimal, group, negative="-{}", usual="{}", least=4, later=3):
    """A number in a notation, by the plainest means."""
    whole, _, behind = f"{abs(value):.{places}f}".partition(".")
    groups = [whole[-3:]]
    rest = whole[:-3]
    while rest:
        groups.insert(0, rest[-later:])
        rest = rest[:-later]
    number = (group if len(whole) >= least else "").join(groups)
    number += decimal + behind if behind else ""
    return (negative if value < 0 else usual).format(number)


def quoted(cell):
    """A cell as a file separated by commas has it."""
    return f'"{cell}"' if "," in cell else cell


def notations(rows=900):
    """Numbers as Europe, America, India, banks, statisticians and printed lists write them."""
    rng = np.random.default_rng(44)
    lines = []
    walk = 4000.0
    for place in range(rows):
        walk += rng.normal(0, 40)
        amount = rng.lognormal(7, 1.5) * rng.choice([-1, 1], p=[0.2, 0.8])
        line = [
            quoted(written(walk, 2, ",", ".")),
            quoted(written(amount, 2, ".", ",", "(${})", "${}")),
            written(amount / 3, 1, ".", "\u202f", "\u2212{} \u20ac", "{} \u20ac", least=5),
            quoted(written(amount * 100, 0, ".", ",", later=2)),
            written(rng.normal() / 3, 3, ".", "").replace("0.", "."),
            written(9 * (walk - 4000), 1, ".", "'", "{}-", "{}").rjust(9),
            quoted(repr(int(rng.integers(0, 999)) / 10 + 0.2).replace(".", ",")),
            written(round(rng.normal(), 1) + 0.0, 1, ".", "", "-{} %", "+{} %"),
        ]
        if place % 71 == 5:
            line[place % 8] = ["", "NA", "1.5", "-0", '"1,5"'][place % 5]
        lines.append(",".join(line) + "\n")
    return "walk,dollars,euros,rupees,share,owed,sum,change\n" + "".join(lines)


def described(rows=500):
    """Readings of several kinds, few enough that what describes them is a good part of the archive:
    words that are a mixture."""
    rng = np.random.default_rng(47)
    lines = []
    for at in range(rows):
        heat = 200 + int(60 * np.sin(at / 40)) + rng.integers(-4, 5)
        state = ("idle", "warm", "hot")[min(2, heat // 90)]
        lines.append(f"{at // 60 % 24:02d}:{at % 60:02d},{heat / 10},{state},{heat // 25}\n")
    return "time,heat,state,step\n" + "".join(lines)


def readings(rows=4200):
    """Weather and air of a station in Beijing, hour by hour, a part of the table that comes with the
    program: numbers that follow from one another and from the hour before, see regression."""
    lines = DEMO.read_text().splitlines()
    names = lines[0].split(",")
    places = [names.index(name) for name in ("TEMP", "PRES", "DEWP", "O3")]
    cut = [line.split(",") for line in lines[: rows + 1]]
    return "".join(",".join(cells[place] for place in places) + "\n" for cells in cut)


def computed(rows=400):
    """A quotient, a product and a sum of floats, and scores less the mean of their group."""
    rng = np.random.default_rng(21)
    length, width = rng.uniform(10, 90, rows).round(12), rng.uniform(3, 40, rows).round(12)
    score = rng.integers(-3000, 3000, rows) / 1000
    mean = np.repeat(rng.normal(0, 0.4, rows // 40), 40)
    columns = [length, width, length / width, length * width, length + width, score, score - mean]
    lines = zip(*(map(repr, column.tolist()) for column in columns), strict=True)
    header = "length,width,ratio,area,both,score,centred\n"
    return header + "".join(",".join(line) + "\n" for line in lines)


def dated(rows=600):
    """Days of birth, midnights, quarters of an hour in a zone, milliseconds that are whole seconds,
    counts that were floats and shares that change hands by the hundred; gaps and odd cells."""
    rng = np.random.default_rng(61)
    day, minute = np.timedelta64(1, "D"), np.timedelta64(1, "m")
    begin = np.datetime64("1949-03-01T00:00:00")
    lines = []
    for place in range(rows):
        birth, seen, at = (begin + int(rng.integers(0, 20000)) * day for _ in range(3))
        at = at + int(rng.integers(0, 96)) * 15 * minute
        line = [
            str(birth)[:10],
            str(seen).replace("T", " "),
            str(at)[:16] + "+05:30",
            f"{at}.000Z",
            f"{rng.integers(0, 3000)}.0",
            str(100 * rng.integers(0, 90000)),
        ]
        if place % 53 == 7:
            line[place % 6] = ""
        if place in (30, 31):
            line[0] = "1800-02-30"
        lines.append(",".join(line) + "\n")
    return "birth,seen,at,sent,count,shares\n" + "".join(lines)


def coordinates(rows=700):
    """Places by several programs: floats of 32 bits with all digits that a float of 64 bits needs,
    with 12 digits and a float beside these, and decimals, some of them long; wages with 15 digits; logarithms, of
    which the bits are stored; and lengths that come again and again. Gaps and odd cells."""
    rng = np.random.default_rng(67)
    lengths = np.sort(rng.gamma(3, 9, 50)).astype(np.float32).astype(float).tolist()
    lines = []
    for place in range(rows):
        degrees = rng.integers(-900000, 900000) / 10**4
        single = float(np.float32(degrees))
        near = float(f"{single:.12g}")
        longer = round(degrees + rng.integers(10**6) / 10**10, 10)
        spelled = [single, single, single, single, near, np.nextafter(near, 99), degrees, longer]
        latitude = float(spelled[place % 8])
        wage = float(np.float32(rng.integers(300, 9000) / 100))
        logarithm = float(np.log(rng.gamma(3, 9)).astype(np.float32))
        line = [repr(latitude), f"{wage:.15g}", repr(logarithm), repr(lengths[rng.integers(50)])]
        if place % 61 == 9:
            line[place % 4] = ""
        lines.append(",".join(line) + "\n")
    lines[5], lines[6] = "-0.0,NA,-0.0,0.10\n", "1.5,1e-05,1.1754943508222875e-38,7\n"
    return "latitude,wage,logarithm,length\n" + "".join(lines)


def labels(rows=90):
    """Cells made of others of their row: as they are, in other letters, without their quotes, among
    text and numbers of their own, of columns behind them; some are others, and some are empty."""
    rng = np.random.default_rng(29)
    ids = [f"{letter}{number}" for letter in "QXZ" for number in range(1000)]
    lines = []
    for one in rng.permutation(ids)[:rows]:
        name = "".join(rng.choice(list("aeioubdfgklmnprst"), 7)).title()
        town = f"{name}, {'NSW'[rng.integers(3)]}" if rng.integers(2) else name
        year = int(rng.integers(1800, 2020))
        code = one if rng.integers(10) else ["", f"N{year}"][rng.integers(2)]
        label = f"{one}-{name} ({year})"
        site = f"https://www.{name.lower()}.org/{rng.integers(100)}/{one}"
        quoted = f'"{town}"' if "," in town else town
        place = f'"{town} ({one})"' if "," in town else f"{town} ({one})"
        cells = [label, name.upper(), one, code, quoted, place, site, name, str(year)]
        lines.append(",".join(cells) + "\n")
    return "label,caps,id,code,town,place,site,name,year\n" + "".join(lines)


def letters(rows=70):
    """Letters of several lines, their senders and towns, which stand in one another's texts in
    other words, and once all bytes that a text may have but one."""
    rng = np.random.default_rng(31)
    syllables = ["ba", "dor", "fen", "gu", "lim", "mor", "nat", "pel", "ras", "tiv", "wen", "zo"]
    names = ["".join(rng.choice(syllables, 3)).title() for _ in range(60)]
    verbs = ["wrote to", "called", "has seen", "is not", "came from"]
    lines = []
    for row in range(rows):
        sender, other, town = rng.choice(names, 3)
        verb = verbs[rng.integers(5)]
        said = f"Dear {sender},\n{other} {verb} {names[row % 60]}; {rng.integers(99)} days."
        place = f"{town} Street {rng.integers(1, 60)}, {names[(row * 7) % 60]}"
        lines.append(f'{sender} {other.upper()},"{place}","{said}"\n')
    return "sender,place,letter\n" + "".join(lines)


SOURCES = {"totals": totals, "words": words, "ranks": prices, "floats": moved}
MIXED_SOURCES = {"mixtures": mixtures, "weekly": weekly, "described": described}
REGRESSED_SOURCES = {"readings": readings}
LATER_SOURCES = {"keys": keys, "sentences": sentences}
LAST_SOURCES = {"ratios": ratios}
FLOAT_SOURCES = {"singles": singles}
COMPUTED_SOURCES = {"computed": computed}
COMMON_SOURCES = {"dated": dated}
ORIGIN_SOURCES = {"coordinates": coordinates}
COMPOSED_SOURCES = {"labels": labels}
TEXT_SOURCES = {"letters": letters}
QUOTIENT_SOURCES = {"quotients": quotients}
HOMES = {
    HOME: SOURCES,
    LATER: LATER_SOURCES,
    LAST: LAST_SOURCES,
    FLOATS: FLOAT_SOURCES,
    COMPUTED: COMPUTED_SOURCES,
    COMMON: COMMON_SOURCES,
    ORIGINS: ORIGIN_SOURCES,
    COMPOSED: COMPOSED_SOURCES,
    TEXTS: TEXT_SOURCES,
    QUOTIENTS: QUOTIENT_SOURCES,
}
TYPED_QUOTIENT_SOURCES = {"typed_quotients": typed_quotients}
TYPED_FLOAT_SOURCES = {"doubles": doubles}
TYPED_SOURCES = {"numbers": numbers, "remarks": remarks}


def channels(rows=90):
    """Six columns of one cause, of which the last is mostly noise, words, and two gaps."""
    rng = np.random.default_rng(19)
    cause = rng.normal(size=rows)
    lines = []
    for row, level in enumerate(cause):
        noise = rng.normal(size=6) * (0.05, 0.05, 0.1, 0.1, 0.1, 3)
        cells = [f"{(place + 1) * level + off:.2f}" for place, off in enumerate(noise)]
        if row in (5, 50):
            cells[5] = ""
        lines.append(",".join([*cells, "high" if level > 0 else "low"]) + "\n")
    return "a,b,c,d,e,f,word\n" + "".join(lines)


def write_corrected():
    """Write the table, its model, its archive by a code of one unit with corrections, and what that
    restores."""
    CORRECTED.mkdir(exist_ok=True)
    source = CORRECTED / "channels.csv"
    source.write_text(channels())
    model = operations.fit(source, FitOptions("pca", {"latent": 1}))
    decoder = {"decoder.onnx": model.graphs["decoder.onnx"]}
    model = dataclasses.replace(
        model, graphs=decoder | {"encoder.onnx": model.graphs["encoder.onnx"]}
    )
    model.save(CORRECTED / "model.aem")
    options = CompressOptions(lossy_only=True, target=0.01, embed=False)
    operations.compress(source, CORRECTED / "channels.aez", model, options)
    operations.decompress(CORRECTED / "channels.aez", CORRECTED / "restored.csv", model=model)


def main(names):
    """Write NAME.csv and NAME.aez."""
    for name in names:
        if name == "channels":
            write_corrected()
            continue
        if name == "fields":
            FIELDS.mkdir(exist_ok=True)
            source = FIELDS / f"{name}.npz"
            np.savez_compressed(source, **fields())
            operations.compress(source, FIELDS / f"{name}.aez", None, CompressOptions(force=True))
            continue
        if name in MIXED_SOURCES or name in REGRESSED_SOURCES:
            home = MIXTURES if name in MIXED_SOURCES else REGRESSIONS
            home.mkdir(exist_ok=True)
            source = home / f"{name}.csv"
            source.write_text((MIXED_SOURCES | REGRESSED_SOURCES)[name]())
            options = CompressOptions(effort=planning.BEST, force=True)
            operations.compress(source, home / f"{name}.aez", None, options)
            continue
        if name in ("notations", "near_notations"):
            NOTATIONS.mkdir(exist_ok=True)
            source = NOTATIONS / f"{name}.csv"
            source.write_text(notations())
            bounds = {} if name == "notations" else {"": "1%"}
            options = CompressOptions(max_error=bounds, force=True)
            operations.compress(source, NOTATIONS / f"{name}.aez", None, options)
            if bounds:
                operations.decompress(NOTATIONS / f"{name}.aez", source, force=True)
            continue
        typed = TYPED_SOURCES | TYPED_FLOAT_SOURCES | TYPED_QUOTIENT_SOURCES
        if name in typed:
            import pyarrow.parquet as pq

            home = FLOATS if name in TYPED_FLOAT_SOURCES else LATER
            if name in TYPED_QUOTIENT_SOURCES:
                home = QUOTIENTS
                home.mkdir(exist_ok=True)
            source = home / f"{name}.parquet"
            pq.write_table(typed[name](), source)
            operations.compress(source, home / f"{name}.aez", None, CompressOptions(force=True))
            continue
        home = next(home for home, sources in HOMES.items() if name in sources)
        home.mkdir(exist_ok=True)
        source = home / f"{name}.csv"
        source.write_text(HOMES[home][name]())
        operations.compress(source, home / f"{name}.aez", None, CompressOptions(force=True))


if __name__ == "__main__":
    main(sys.argv[1:])
