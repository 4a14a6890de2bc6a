"""Tables in text, and their cells (FORMAT.md, sections 3 and 7)."""

import datetime
import decimal
import fractions
import math
import re
import struct

from tests.format_reader.blobs import blob, cells
from tests.format_reader.columns import Block, columns_of, shape
from tests.format_reader.container import varint

EPOCH = datetime.datetime(1970, 1, 1)


def restored(header, blocks):
    """The bytes of a table in text."""
    format = header["format"]
    text = header["head"].encode("latin-1")
    text += b"".join(records(format, *block) for block in blocks)
    encoding = format.get("encoding", "utf-8")
    if encoding.startswith("utf-") and encoding != "utf-8":
        return text.decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass")
    return text


def records(format, rows, about, columns):
    """The records of a block."""
    if columns[0].meta["k"] == "bytes":
        return blob(columns[0].blob)
    usual = about.get("e", "\n").encode()
    ends = [usual] * (rows - 1) + [about["l"].encode() if "l" in about else usual]
    if "t" in about:
        ends = text_cells(columns.pop())
    delimiter = format["delimiter"].encode()
    fields = zip(*map(text_cells, columns), strict=True)
    return b"".join(delimiter.join(row) + end for row, end in zip(fields, ends, strict=True))


def dictionary(blob):
    """The cells of a dictionary."""
    count, payload = varint(blob)
    _, columns, _ = columns_of(Block(count, None, payload))
    return text_cells(columns[0])


def whole_cells(column):
    """Skeletons with their parts."""
    count, payload = varint(column.blob)
    _, columns, _ = columns_of(Block(len(column.kinds), None, payload))
    found = []
    for skeleton, *parts in zip(*map(text_cells, columns), strict=True):
        pieces = skeleton.split(b"\0")
        assert len(columns) == count and len(pieces) <= count
        parts = parts[: len(pieces) - 1]
        found.append(b"".join(map(b"".join, zip(pieces, [*parts, b""], strict=True))))
    return found


def digits(value, meta):
    """A number of so many digits."""
    letter = "d" if meta["b"] == 10 else "X" if "u" in meta else "x"
    before, behind = meta.get("a", ["", ""])
    return f"{before}{value % (1 << 64):0{meta['w']}{letter}}{behind}"


def as_lender(column, case):
    """The cells of a column as they stand in others."""
    assert "cells" not in column.meta
    bare = [re.sub(rb'\A"(.*)"\Z', rb"\1", cell, flags=re.DOTALL) for cell in text_cells(column)]
    return [(cell, cell.lower(), cell.upper())[case] for cell in bare]


def of_others(column):
    """Cells in which those of other columns stand."""
    meta = dict(column.meta)
    lenders = [one if isinstance(one, list) else [one, 0] for one in meta.pop("cells")]
    assert 1 <= len(lenders) <= 8
    of_lenders = [as_lender(column.others[place], case) for place, case in lenders]
    found = []
    for rest, *row in zip(text_cells(column._replace(meta=meta)), *of_lenders, strict=True):
        found.append(re.sub(rb"[\1-\10]", lambda mark, row=row: row[mark[0][0] - 1], rest))
    return found


def text_cells(column):
    """The cells of a column of text."""
    meta = column.meta
    if "cells" in meta or meta["k"] == "parts":
        return of_others(column) if "cells" in meta else whole_cells(column)
    if meta["k"] == "rank":
        known = dictionary(column.dictionary)
        return [known[value] for value in column.values]
    if meta["k"] == "text":
        return cells(column.blob, len(column.kinds))
    if meta["k"] == "level":
        levels = [level.encode("latin-1") for level in meta.get("v", [])]
        if column.blob:
            count, rest = varint(column.blob)
            levels += cells(rest, count)
        return [levels[value] for value in column.values]
    valued = shape(meta).valued
    special = [cell.encode("latin-1") for cell in meta["s"]]
    others = int((column.kinds == valued + len(special)).sum())
    rest = iter(cells(column.blob, others) if others else [])
    numbers = iter(column.values.tolist())
    found = []
    for kind in column.kinds.tolist():
        if kind >= valued + len(special):
            found.append(next(rest))
        elif kind >= valued:
            found.append(special[kind - valued])
        elif meta["k"] == "float":
            found.append(float_text(next(numbers), kind, meta))
        elif meta["k"] == "digits":
            found.append(digits(next(numbers), meta).encode("latin-1"))
        elif meta["k"] == "number":
            value = whole_number(next(numbers), kind, meta)
            found.append(number(value, meta["f"][kind], meta).encode("latin-1"))
        else:
            found.append(date(next(numbers), meta).encode("latin-1"))
    return found


def whole_number(value, kind, meta):
    """What the value of a kind counts as, before steps and units."""
    if kind == 0 and "o" in meta:
        value = printed_single(value, meta)
    if "e" in meta:
        value *= 10 ** meta["e"][kind]
    if "h" in meta and meta["h"][kind]:
        value = rounded_quotient(value, *meta["h"][kind], meta["d"])
    return value


def number(value, form, meta):
    value, places = value * meta.get("q", 1), meta["d"]
    if "u" in meta and form < places:
        value *= 10 ** (places - form)
    digits = str(abs(value)).rjust(places + 1, "0")
    whole, behind = digits[: len(digits) - places], digits[len(digits) - places :]
    behind = behind[:form] if form < 64 else behind.rstrip("0").ljust(form - 64, "0")
    sign, point = "-" if value < 0 else "", "." if behind else ""
    return in_notation(f"{sign}{whole}{point}{behind}", meta)


def in_notation(number, meta):
    """The cell of a number, with what stands around it."""
    before, after = meta.get("a", ["", ""])
    if "n" not in meta:
        return f"{before}{number}{after}"
    notation, unsigned = meta["n"], number.removeprefix("-")
    if unsigned != number:
        before, after = notation.get("m", [before + "-", after])
    if "z" in notation and unsigned.startswith("0."):
        unsigned = unsigned[1:]
    whole = re.match("[0-9]*", unsigned)[0]
    grouped = ""
    for place, digit in enumerate(whole):
        grouped += digit
        follow = len(whole) - 1 - place
        if len(whole) >= notation.get("l", 4) and follow >= 3:
            grouped += notation.get("g", "") * ((follow - 3) % notation.get("i", 3) == 0)
    cell = grouped + unsigned[len(whole) :].replace(".", notation.get("d", "."))
    quote = '"' * (notation.get("q", "\n") in cell)
    return f"{quote}{before}{cell}{after}{quote}".rjust(notation.get("w", 0))


def printed_single(value, meta):
    """The whole number that is written for a float of 32 bits."""
    (single,) = struct.unpack("<f", struct.pack("<f", float(value) / 10.0 ** meta["o"]))
    return round(single * 10.0 ** meta["d"])


def rounded_quotient(value, over, times, rounding, places):
    """The whole number, with so many digits behind the point, that a quotient is rounded to."""
    exact = fractions.Fraction(abs(value) * times * 10**places, over)
    whole = exact.numerator // exact.denominator
    if rounding == 0:
        whole = round(exact)
    elif rounding == 1 and exact - whole >= fractions.Fraction(1, 2):
        whole += 1
    return -whole if value < 0 else whole


def float_text(value, kind, meta):
    if "p" in meta:
        value = ordered(bits_of(origin(value, kind, meta))) + meta.get("f", [0])[kind]
    elif "d" in meta:
        quotient = value / 10 ** meta["d"]
        if "o" in meta:
            quotient = single(quotient)
        value = ordered(bits_of(quotient)) + meta.get("f", [0])[kind]
    (number,) = struct.unpack("<d", struct.pack("<q", ordered(value)))
    text = repr(number)
    return in_notation(text.removesuffix(".0") if "i" in meta else text, meta).encode("latin-1")


def origin(value, kind, meta):
    """The float from which a number's place is counted, where kinds have origins."""
    digits = meta["p"][kind]
    if "h" in meta and meta["h"][kind]:
        over, times, _ = meta["h"][kind]
        number = value * times / over
    elif "d" in meta:
        number = value / 10 ** (meta["d"] - meta.get("e", [0] * len(meta["p"]))[kind])
        number = single(number) if digits else number
    elif digits:
        (number,) = struct.unpack("<f", struct.pack("<i", value ^ (2**31 - 1) * (value < 0)))
    else:
        (number,) = struct.unpack("<d", struct.pack("<q", ordered(value)))
    if not math.isfinite(number):
        raise ValueError("a float beyond all numbers")
    return to_digits(number, digits)


def to_digits(number, digits):
    """The float nearest to a float of so many digits, or, below 0, of so many behind the point."""
    if digits in (0, 17):
        return number
    exact, widest = decimal.Decimal(number), decimal.Context(1200)
    if digits < 0:
        return float(exact.quantize(decimal.Decimal((0, (1,), digits)), "ROUND_HALF_EVEN", widest))
    return float(decimal.Context(digits, decimal.ROUND_HALF_EVEN).create_decimal(exact))


def single(number):
    """The nearest float of 32 bits."""
    return struct.unpack("<f", struct.pack("<f", number))[0]


def bits_of(number):
    return struct.unpack("<q", struct.pack("<d", number))[0]


def ordered(bits):
    """Bits of floats to their order, and back."""
    return bits ^ (2**63 - 1) if bits < 0 else bits


def date(ticks, meta):
    order, separator, joint, fields, digits, zone, padding = meta["t"].split("|")
    seconds, fraction = divmod(ticks * meta.get("q", 1), 10 ** int(digits))
    if zone not in ("", "Z"):
        seconds += int(zone[0] + "1") * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    t = EPOCH + datetime.timedelta(seconds=seconds)
    pad = "02" if padding == "0" else "0"
    parts = {"y": f"{t.year:04d}", "m": f"{t.month:{pad}}", "d": f"{t.day:{pad}}"}
    text = separator.join(parts[part] for part in order)
    if fields:
        text += f"{joint}{t.hour:{pad}}:{t.minute:02d}"
        text += f":{t.second:02d}" if fields == "hms" else ""
        text += (f".{fraction:0{digits}d}" if int(digits) else "") + zone
    return f"{meta['a']}{text}{meta['a']}"
