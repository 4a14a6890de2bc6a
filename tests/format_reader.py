"""A reader of .aez archives in plain Python and numpy, written from FORMAT.md alone.

restore(data, model) gives the bytes of a text or a file; pixels (n, C, H, W); of a folder {name:
(mode, pixels), or bytes}; of a table {column: values}, as Arrow stores them; of arrays {name: rows}. It checks what FORMAT.md says.
"""

import bz2
import datetime
import hashlib
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np

PAGE = (Path(__file__).parent.parent / "aetool" / "codec" / "FORMAT.md").read_text()
WORDS = "".join(re.search(r"## 9\..*?```\n(.*?)```", PAGE, re.DOTALL)[1].split("\n")).encode()
LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20}]
STAGES = {
    0: bytes,
    1: lambda d: lzma.decompress(d, lzma.FORMAT_RAW, None, LZMA2),
    2: bz2.decompress,
}
BYTES = ("text", "bytes", "lines")  # contents that restore them
BASE, FULL = 0x9E3779B97F4A7C15, 1 << 64


def blake(size, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=size).digest()


def check(good, what):
    if not good:
        raise ValueError(what)


def varint(data, at=0):
    end = next(i for i in range(at, len(data)) if data[i] < 128) + 1
    return sum((b & 127) << 7 * i for i, b in enumerate(data[at:end])), data[end:]


def words(data):
    return json.loads(zlib.decompressobj(-15, zdict=WORDS).decompress(data))


def blob(data):
    head, rest = varint(data)
    raw = STAGES[head & 7](rest)
    check(len(raw) == head >> 3, "a blob has another length")
    return raw


def cells(data, count):
    raw = blob(data)
    if raw[0] == 0:
        return raw[1:].split(b"\n")
    ends = np.cumsum([1 + 4 * count, *np.frombuffer(raw, "<u4", count, 1)]).tolist()
    return [raw[a:b] for a, b in pairwise(ends)]


def root(seals):
    level = [blake(16, b"\0", s) for s in seals] or [blake(16)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [blake(16, b"\1", *p) for p in pairs] + level[len(level) - len(level) % 2 :]
    return level[0]


def opened(data):
    """(header, facts, sections, [(rows, digest of the content, payload)], digest of the whole)."""
    check(data[:9].hex() == "8941455a0d0a1a0a03" and data[9] < 4, "not an archive of version 3")
    at = 26 if data[9] & 2 else 10
    if data[9] & 1:
        check(blake(8, data[:-8]) == data[-8:], "digest")
        rows, rest = varint(data[:-12], at)
        n, rest = varint(rest)
        facts, header = words(rest[:n])
        return header, facts, {}, [(rows, None, rest[n:])] if rest[n:] else [], data[-12:-8]
    n = int.from_bytes(data[at : at + 4], "little")
    header, at, sections, blocks, first = words(data[at + 4 : at + 4 + n]), at + 4 + n, {}, [], 0
    own, at = blake(16, data[:at]), at + 16
    for name, size, sha in header.get("sections", []):
        sections[name], at = data[at : at + size], at + size
        check(hashlib.sha256(sections[name]).hexdigest() == sha, "section")
    whole, again, tree, begin, n, count, end = struct.unpack("<32s16s16sQII16s", data[-104:-8])
    check(data[-8:].hex() == "d541455a656e64aa" and blake(16, data[begin:-24]) == end, "footer")
    footer, seals = words(data[begin : begin + n]), data[begin + n : begin + n + 16 * count]
    seals = [seals[i : i + 16] for i in range(0, 16 * count, 16)]
    check(again == own == data[at - 16 : at] or sections, "the header's seal")
    check(root(seals) == tree and len(seals) == len(footer["blocks"]), "root")
    for number, (n, rows) in enumerate(footer["blocks"]):
        head, payload = data[at : at + 56], data[at + 56 : at + 56 + n]
        check(struct.unpack("<IQII", head[8:28]) == (number, first, rows, n), "place of a block")
        check(head[36:52] == seals[number] == blake(16, own, head[:36], blake(16, payload)), "seal")
        blocks.append((rows, head[28:36], payload))
        at, first = at + 56 + n, first + rows
    check(at == begin, "the index does not cover the file")
    return header, footer["facts"], sections, blocks, whole


def tables(counts, radices, strength):
    a = counts.shape[1]
    above = np.array([[16384 // a + 16384 % a] + [16384 // a] * (a - 1)])
    for radix in [1, *radices]:
        above = above.repeat(radix, axis=0)
        n = counts.reshape(len(above), -1, a).sum(axis=1)
        total = n.sum(axis=1, keepdims=True)
        f = 1 + (16384 * n + strength * above) * (16384 - a) // (16384 * (total + strength))
        f[np.arange(len(f)), f.argmax(axis=1)] += 16384 - f.sum(axis=1)
        above = np.where(total > 0, f, above)
    return above


class Rans:
    """States of lanes, and words, from which symbols of stream after stream are taken."""

    def __init__(self, data, lanes=1):
        self.states = np.frombuffer(data, "<u4", lanes).tolist() if data else [1 << 16] * lanes
        self.words = iter(np.frombuffer(data[4 * lanes :], "<u2").tolist())

    def symbols(self, count, alphabet, features=(), strength=8, prime=0):
        """features: (radix, function of the symbols so far, a symbol's place, and its step)."""
        out, begin, limit, chunk = [0] * count, 0, 32, -(-count // len(self.states))
        radices = [radix for radix, _ in features]
        n = np.zeros((int(np.prod(radices, dtype=int)), alphabet), np.int64) + prime
        while begin < chunk and alphabet > 1:
            end = min(chunk, max(begin + 1, -(-limit // len(self.states))))
            f, met = tables(n, radices, strength), []
            low = np.cumsum(f, axis=1) - f
            for step, lane in ((s, k) for s in range(begin, end) for k in range(len(self.states))):
                i, context, x = lane * chunk + step, 0, self.states[lane]
                if i < count:
                    for radix, look in features:
                        context = context * radix + int(look(out, i, step))
                    s = int(np.searchsorted(low[context], x % 16384, "right")) - 1
                    x = int(f[context, s]) * (x >> 14) + x % 16384 - int(low[context, s])
                    self.states[lane] = x if x >= 1 << 16 else x << 16 | next(self.words)
                    out[i] = s
                    met.append((context, s))
            np.add.at(n, tuple(np.array(met).T), 1)
            begin, limit = end, limit + limit // 2
        return out

    def finish(self):
        check(set(self.states) == {1 << 16} and not list(self.words), "the end of a stream")


class Repeat:
    """The feature "m"; symbols are taken in before the one that is asked for."""

    def __init__(self, edges, size, alphabet):
        self.classes = np.searchsorted(np.cumsum(edges), np.arange(alphabet), "right").tolist()
        self.size, self.slots, self.done = size, {}, 0
        self.place, self.hits, self.misses, self.radix = None, 0, 0, 2 * self.classes[-1] + 3

    def add(self, out, i):
        if self.place is not None:
            hit = out[self.place] == out[i]
            self.hits, self.misses = (self.hits + 1, 0) if hit else (0, self.misses + 1)
            self.place = self.place + 1 if self.misses < 8 else None
        if i + 1 >= self.size:
            h = sum((out[i - j] + 1) * pow(BASE, j, FULL) for j in range(self.size))
            slot = h * BASE % FULL >> 46
            if slot in self.slots and (self.place is None or not self.hits):
                self.place, self.hits, self.misses = self.slots[slot], 0, 0
            self.slots[slot] = i + 1

    def look(self, out, i, step):
        for before in range(self.done, i):
            self.add(out, before)
        self.done = i
        more = (self.hits >= 16) * (self.classes[-1] + 1)
        return 0 if self.place is None else 1 + self.classes[out[self.place]] + more


def listed(values):
    return lambda out, i, step: values[i]


class Streams:
    """Decodes the streams of a block, in order."""

    def __init__(self, rows, plans, model, part, joined):
        self.rows, self.model, self.part, self.marks = rows, model, part, {}
        self.plans, self.values, self.symbols, self.joined = plans, [], [], None
        if joined is not None:
            n, rest = varint(joined)
            self.joined, self.raw = Rans(rest[:n]), rest[n:]
            here = [i for i, plan in enumerate(plans[:65536]) if plan is None]
            if here:
                still = model["stillness"]
                of = self.joined.symbols(len(here), 3, [(len(still), listed(here))], 2, still)
                self.marks = dict(zip(here, of, strict=True))

    def next(self, present):
        """The values of the next stream, in the rows where it is present."""
        i, count = len(self.values), int(present.sum())
        plan, prime = self.plans[i] or self.model["plans"][i], 0
        if self.plans[i] is None:
            prime = self.model[f"prime.{i}"].astype(np.int64)
        starts = np.cumsum(plan["b"], dtype=np.int64)
        widths = [*plan.get("w", [0] * len(starts)), 64]
        alphabet, symbols, r = len(starts) + ("x" not in plan), None, []
        if self.marks.get(i):
            value, zigzag = self.model["usual"][i], 0
            if self.marks[i] == 2:
                zigzag, self.raw = varint(self.raw)
            values = np.full(count, value + (zigzag >> 1 if not zigzag & 1 else -(zigzag + 1 >> 1)))
        elif "y" in plan:
            above = np.frombuffer(blob(self.part()), f"<u{plan['y']}")
            values = above.astype(np.uint64).view(np.int64) + plan["o"]
        else:
            features = [self.feature(f, present, alphabet) for f in plan.get("f", [])]
            coded = (count, alphabet, features, plan.get("k", 8), prime)
            data = self.part() if not self.joined else None
            n, self.raw = varint(data) if data else (0, b"" if data is not None else self.raw)
            rans = self.joined or Rans(self.raw[:n], 1 << plan.get("l", 0))
            self.raw = self.raw[n:]
            symbols = rans.symbols(*coded) if data != b"" else [plan.get("z", 0)] * count
            rans.finish() if not self.joined else None
            bits = int.from_bytes(self.raw, "little")
            for s in symbols:
                r.append(([*starts.tolist(), 0])[s] + (bits & (1 << widths[s]) - 1))
                bits >>= widths[s]
            self.raw = self.raw[(sum(widths[s] for s in symbols) + 7) // 8 :]
            r = np.array([(v + FULL // 2) % FULL - FULL // 2 for v in r], np.int64)
            values = self.transform(plan, r, present, np.cumsum, 1)
        if symbols is None:
            r = self.transform(plan, values, present, lambda x: np.diff(x, prepend=x[:1] * 0), -1)
            bins = np.searchsorted(starts, r, "right") - 1
            inside = [
                b >= 0 and v - int(starts[b]) < 1 << widths[b]
                for b, v in zip(bins, r.tolist(), strict=True)
            ]
            symbols = np.where(inside, bins, len(starts))
        full, marks = np.zeros(self.rows, np.int64), np.full(self.rows, alphabet)
        full[present], marks[present] = values, symbols
        self.values.append(full)
        self.symbols.append(marks)
        return values

    def transform(self, plan, v, present, change, sign):
        kind, other = plan.get("t", "v"), None
        if kind in "gc":
            other = self.values[plan["g"]][present]
        if kind == "g":
            order, out = np.argsort(other, kind="stable"), np.empty_like(v)
            out[order] = change(v[order])
            return out
        return change(v) if kind == "d" else v + sign * other if kind == "c" else v

    def feature(self, feature, present, alphabet):
        kind, *rest = feature
        if kind == "m":
            found = Repeat(*rest, alphabet)
            return found.radix, found.look
        edges = np.cumsum(rest[-1])
        if kind == "o":
            lookup = np.searchsorted(edges, np.arange(alphabet), "right")
            return len(edges) + 1, lambda out, i, step: lookup[out[i - 1] if step else 0]
        of = (self.symbols if kind == "s" else self.values)[rest[0]]
        if kind == "e":
            return 2, listed(np.append(False, of[1:] == of[:-1])[present])
        return len(edges) + 1, listed(np.searchsorted(edges, of[present], "right"))


def columns_of(rows, payload, model=None, content=None):
    """(description, [(meta, kinds, values, raws, blob)]) of a block."""
    n, rest = varint(payload)
    unsaid = {} if model else {"columns": [{"k": "bytes"}], "plans": []}
    about = words(rest[:n]) if n else unsaid
    model = None if "own" in about else model
    metas = about.get("columns") or [None] * len(model["metas"])
    metas = [m if m is not None else model["metas"][i] for i, m in enumerate(metas)]
    rows *= about["shape"][2] if "shape" in about else about.get("each", 1)
    shapes = [shape(meta) for meta in metas]
    streams = sum((k > 1) + (v > 0) + raws for _, k, v, raws in shapes)
    small = rows <= 4096 and streams > 0
    count = sum(blobs for blobs, *_ in shapes) + (1 if small else streams)
    there = np.unpackbits(np.frombuffer(rest[n:], np.uint8, (count + 7) // 8), count=count)
    rest, sizes = rest[n + (count + 7) // 8 :], np.zeros(count, int)
    filled = np.flatnonzero(there)
    for place in filled[:-1]:
        sizes[place], rest = varint(rest)
    sizes[filled[-1:]] = len(rest) - sizes.sum()
    ends = [0, *np.cumsum(sizes).tolist()]
    parts = [rest[a:b] for a, b in pairwise(ends)]
    check(ends[-1] == len(rest), "parts do not add up")
    joined = parts.pop() if small else None
    parts, found, digests = iter(parts), [], []
    plans = about.get("plans") or [None] * streams
    source = Streams(rows, plans, model, lambda: next(parts), joined)
    for meta, (blobs, k, v, raws) in zip(metas, shapes, strict=True):
        held, every = next(parts) if blobs else b"", np.ones(rows, bool)
        kinds = source.next(every) if k > 1 else np.zeros(rows, np.int64)
        values = source.next(kinds < v) if v else np.zeros(0, np.int64)
        raw = source.next(kinds == k - 1) if raws else np.zeros(0, np.int64)
        digests += [held] * blobs + [kinds] * (k > 1) + [values] * (v > 0) + [raw] * raws
        found.append((meta, kinds, values, raw, held))
    if source.joined and joined != b"\0":
        source.joined.finish()
    own = [blake(8, d if isinstance(d, bytes) else d.astype("<i8").tobytes()) for d in digests]
    about["digest"] = blake(8, *own)
    check(content in (None, about["digest"]), "the digest of the content")
    return about, found


def shape(meta):
    """(blobs, kinds of cells, kinds with a value, whether raws have a stream) of a column."""
    k, raw = meta["k"], int("r" in meta)
    if k in ("number", "date"):
        valued = len(meta["f"]) if k == "number" else 1
        return raw, valued + len(meta["s"]) + raw, valued, 0
    if k in ("int", "real"):
        return 0, 1 + ("z" in meta) + ("n" in meta) + raw, 1, raw
    return int(k != "whole"), 1, int(k in ("level", "whole")), 0


def number(value, form, meta):
    value, places = value * meta.get("q", 1), meta["d"]
    digits = str(abs(value)).rjust(places + 1, "0")
    behind = digits[len(digits) - places :]
    behind = behind[:form] if form < 64 else behind.rstrip("0").ljust(form - 64, "0")
    before, after = meta.get("a", ["", ""])
    point = "." if behind else ""
    sign = "-" if value < 0 else ""
    return f"{before}{sign}{digits[: len(digits) - places]}{point}{behind}{after}"


def date(ticks, meta):
    order, separator, joint, fields, digits, zone, padding = meta["t"].split("|")
    seconds, fraction = divmod(ticks, 10 ** int(digits))
    if zone not in ("", "Z"):
        seconds += int(zone[0] + "1") * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    t = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    pad = "0>" + ("2" if padding == "0" else "1")
    parts = {"y": f"{t.year:04d}", "m": f"{t.month:{pad}}", "d": f"{t.day:{pad}}"}
    text = separator.join(parts[part] for part in order)
    if fields:
        text += f"{joint}{t.hour:{pad}}:{t.minute:02d}"
        text += f":{t.second:02d}" if fields == "hms" else ""
        text += (f".{fraction:0{digits}d}" if int(digits) else "") + zone
    return f"{meta['a']}{text}{meta['a']}"


def text_cells(meta, kinds, values, _, held):
    """The cells of a column of text."""
    if meta["k"] == "text":
        return cells(held, len(kinds))
    levels = [level.encode("latin-1") for level in meta.get("v", [])]
    if meta["k"] == "level":
        count, rest = varint(held) if held else (0, b"")
        levels += cells(rest, count) if held else []
        return [levels[v] for v in values]
    _, _, valued, _ = shape(meta)
    special = [s.encode("latin-1") for s in meta["s"]]
    raws = iter(cells(held, int((kinds == valued + len(special)).sum())) if held else [])
    numbers, out = iter(values.tolist()), []
    for kind in kinds.tolist():
        if kind < valued:
            value = next(numbers)
            cell = (
                number(value, meta["f"][kind], meta) if meta["k"] == "number" else date(value, meta)
            )
            out.append(cell.encode("latin-1"))
        else:
            kind -= valued
            out.append(special[kind] if kind < len(special) else next(raws))
    return out


def gaps_of(column, cells):
    """Cells, None where they are missing."""
    gap = column[0].get("gap")
    return [None if gap is not None and cell == gap.encode("latin-1") else cell for cell in cells]


def whole(column, low, high):
    """Whole numbers of an `int`, None where they are missing."""
    meta, kinds, values, _, _ = column
    check(meta["k"] == "int", "whole numbers are an int")
    numbers = [v % FULL if low == 0 else v for v in values.tolist()]
    if "q" in meta:
        numbers = [min(max(v * (2 * meta["q"] + 1), low), high) for v in values.tolist()]
    numbers = iter([v * meta.get("m", 1) for v in numbers])
    return [None if kind else next(numbers) for kind in kinds.tolist()]


def real(column, bits):
    """(floats of so many bits, where they are missing) of a `real`."""
    meta, kinds, values, raws, _ = column
    size, form = meta.get("b"), f"<f{bits // 8}"
    if size:
        u = np.where(values < 0, values ^ ((1 << size - 1) - 1), values)
        x = u.astype(f"<i{size // 8}").view(f"<f{size // 8}").astype(form)
    elif "g" in meta:
        x = (values * float.fromhex(meta["g"])).astype(form)
    else:
        x = (values * (2 * meta["q"] + 1 if "q" in meta else 1) / float(10 ** meta["d"])).astype(
            form
        )
    out = np.zeros(len(kinds), form)
    out[kinds == 0] = x
    if "n" in meta:
        out[kinds == 1 + ("z" in meta)] = np.nan
    if "r" in meta:
        out.view(f"<i{bits // 8}")[kinds == kinds.max()] = raws
    return out, (kinds == 1) if "z" in meta else np.zeros(len(kinds), bool)


def arrow_column(kind, columns, dictionaries, rows):
    """The values of a field in what Arrow stores; None where they are missing."""
    name, *more = kind if isinstance(kind, list) else [kind]
    if name == "null":
        return [None] * rows
    column = next(columns)
    if name.startswith("float"):
        x, gaps = real(column, int(name[5:]))
        return [None if gap else v for v, gap in zip(x.tolist(), gaps.tolist(), strict=True)]
    if name in ("string", "large_string", "string_view", "fixed") or "binary" in name:
        found = gaps_of(column, text_cells(*column))
        return [cell.decode() if cell and "string" in name else cell for cell in found]
    unsigned = name.startswith("uint")
    numbers = whole(column, 0 if unsigned else -FULL // 2, FULL - 1 if unsigned else FULL // 2 - 1)
    if name == "dictionary":
        values = dictionaries[column[0]["v"]]
        return [None if v is None else values[v] for v in numbers]
    limbs = [next(columns)[2].tolist() for _ in range(column[0].get("l", 1) - 1)]
    for row, above in enumerate(zip(*limbs, strict=True)):
        if numbers[row] is not None:
            numbers[row] = numbers[row] % FULL + sum(v << 64 * i for i, v in enumerate([
                *(v % FULL for v in above[:-1]), above[-1]], 1))  # fmt: skip
    return [bool(v) if name == "bool" and v is not None else v for v in numbers]


def dictionaries_of(data, fields):
    """{place of a field: its dictionaries}."""
    found = {}
    while data:
        place, data = varint(data)
        rows, data = varint(data)
        size, data = varint(data)
        about, columns = columns_of(rows, data[8 : 8 + size], None, data[:8])
        values = arrow_column(fields[place]["type"][2], iter(columns), [], rows)
        found.setdefault(place, []).append(values)
        data = data[8 + size :]
    return found


def array_rows(about, columns, rows):
    """Rows of an array from the columns of a block."""
    dtype, lead = np.dtype(about["dtype"]), about.get("lead", 1)
    shape = (rows, *about["shape"][lead:])
    axes = [axis - lead + 1 for axis in about["axes"]]
    chosen = [shape[axis] for axis in axes]
    others = [size for axis, size in enumerate(shape) if axis not in axes]
    out = np.zeros((*chosen, *others), dtype).reshape(int(np.prod(chosen)), -1)
    for row in out:
        if dtype.kind == "c":
            row.real, row.imag = (real(next(columns), dtype.itemsize * 4)[0] for _ in "ri")
            continue
        column = next(columns)
        if dtype.kind == "f":
            row[:] = real(column, dtype.itemsize * 8)[0]
        elif dtype.kind in "SU":
            found = text_cells(*column)
            row[:] = (
                found if dtype.kind == "S" else [c.decode("utf-8", "surrogatepass") for c in found]
            )
        elif dtype.kind in "Mm":
            ticks = [
                -FULL // 2 if v is None else v for v in whole(column, -FULL // 2, FULL // 2 - 1)
            ]
            row[:] = np.array(ticks, "<i8").view(dtype.newbyteorder("<"))
        else:
            ends = (0, 255) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
            row[:] = np.array(whole(column, *map(int, ends)), "u1" if dtype.kind == "b" else dtype)
    return np.moveaxis(out.reshape(*chosen, *others), range(len(axes)), axes)


def lines_of(about, columns):
    """The bytes of lines in frames."""
    which, out = whole(columns[0], 0, FULL - 1), []
    cells = [gaps_of(column, text_cells(*column)) for column in columns[1:]]
    for row, number in enumerate(which):
        parts, places = about["frames"][number]
        out.append(parts[0].encode("latin-1"))
        for part, place in zip(parts[1:], places, strict=True):
            out += [cells[place][row], part.encode("latin-1")]
    return b"".join(out)


def exact(column):
    """A column that is stored beside a model's code; NaN or None where it is missing."""
    kind = column[0]["k"]
    if kind == "real":
        return real(column, 64)[0].tolist()
    if kind == "int":
        return whole(column, -FULL // 2, FULL // 2 - 1)
    return [
        None if cell is None else cell.decode() for cell in gaps_of(column, text_cells(*column))
    ]


def shared_of(model):
    """Arrays and words of a bundle's member for text."""
    packed = zipfile.ZipFile(io.BytesIO(model)).read("members/0/codec.safetensors.xz")
    raw = lzma.decompress(packed)
    n = int.from_bytes(raw[:8], "little")
    head, data = json.loads(raw[8 : 8 + n]), raw[8 + n :]
    found = json.loads(head.pop("__metadata__")["aetool"])
    for name, entry in head.items():
        a, b = entry["data_offsets"]
        flat = np.frombuffer(data[a:b], {"U16": "<u2", "I64": "<i8"}[entry["dtype"]])
        found[name] = flat.reshape(entry["shape"])
    return found


def restore(data, model=None):
    """What an archive restores, see above. model: the bytes of the bundle that it names."""
    header, facts, sections, stored, whole = opened(data)
    name, version = header["content"]
    shared = shared_of(model) if "shared" in header else {}
    blocks = [columns_of(rows, p, shared or None, c) for rows, c, p in stored]
    out, digest, frame, first = b"", hashlib.sha256(), {}, 0
    if name == "text":
        form = {**shared.get("format", {}), **header["format"]}
        out = header.get("head", shared.get("head", "")).encode("latin-1")
    for (rows, _, _), (about, found) in zip(stored, blocks, strict=True):
        if found and found[0][0]["k"] == "bytes" and name in BYTES:
            out += blob(found[0][4])
        elif name == "text":
            usual = about.get("e", shared.get("format", {"newline": "\n"})["newline"])
            tails = [usual.encode()] * (rows - 1) + [about.get("l", usual).encode()]
            if "t" in about:
                tails = text_cells(*found.pop())
            lines = zip(*(text_cells(*column) for column in found), strict=True)
            delimiter = form["delimiter"].encode()
            out += b"".join(delimiter.join(a) + b for a, b in zip(lines, tails, strict=True))
        elif "shape" in about:
            c, h, w = about["shape"]
            pixels = np.array([values for _, _, values, _, _ in found]).reshape(h, c, rows, w)
            pixels = pixels.transpose(2, 1, 0, 3)
            out = pixels if out == b"" else np.concatenate([out, pixels])
            if name == "folder":
                out = b""
                frame |= {
                    n: (about["mode"], p) for n, p in zip(about["names"], pixels, strict=True)
                }
        elif name == "folder":
            frame |= dict(zip(about["names"], cells(found[0][4], rows), strict=True))
        elif name in ("arrow", "arrays", "lines"):
            out += own_types(header, sections, about, found, rows, first, frame)
            first += rows
        else:
            gain(frame, lossy(header, found, rows, sections.get("model", model)))
        digest.update(about["digest"])
    if isinstance(out, bytes) and name in BYTES:
        if name == "text" and form.get("encoding", "utf-8").startswith("utf-"):
            wide, lone = form.get("encoding", "utf-8"), "surrogatepass"
            out = out if wide == "utf-8" else out.decode("utf-8", lone).encode(wide, lone)
        digest = hashlib.sha256(out)
    check(digest.digest()[: len(whole)] == whole, "the digest of the whole")
    return frame if name not in (*BYTES, "pixels") else out


def own_types(header, sections, about, found, rows, first, frame):
    """Adds a block of values in types of their own to the frame; returns what is bytes."""
    if "frames" in about:
        return lines_of(about, found)
    columns = iter(found)
    fields = header.get("schema", {}).get("fields", [])
    known = dictionaries_of(sections.get("dictionaries", b""), fields)
    for place, field in enumerate(fields):
        gain(frame, {field["name"]: arrow_column(field["type"], columns, known.get(place), rows)})
    for array in header.get("arrays", []):
        shape = array["shape"]
        own = int(np.prod(shape[: array.get("lead", 1)])) if np.prod(shape) else 0
        if header.get("joint") or 0 <= first < own:
            gain(frame, {array["name"]: array_rows(array, columns, rows)})
        first -= own
    return b""


def gain(frame, columns):
    for name, values in columns.items():
        frame[name] = [*frame.get(name, []), *values]


def lossy(header, found, rows, model):
    """The columns of a block of a lossy table."""
    import onnxruntime

    bundle = zipfile.ZipFile(io.BytesIO(model))
    session = onnxruntime.InferenceSession(bundle.read("members/0/decoder.onnx"))
    schema = json.loads(bundle.read("manifest.json"))["schema"]["columns"]
    modelled = [column for column in schema if column["kind"] in ("number", "category", "date")]
    q = header["quantiser"]
    centre, step = ([float.fromhex(v) for v in q[key]] for key in ("centre", "step"))
    z = np.tile(centre, (rows, 1))
    for unit, column in zip(q["kept"], found, strict=False):
        z[:, unit] += column[2] * step[unit]
    x = session.run(["x_hat"], {session.get_inputs()[0].name: z.astype(np.float32)})[0]
    gaps = np.frombuffer(blob(found[len(q["kept"])][4]), np.uint8)
    gaps = np.unpackbits(gaps, count=x.size).reshape(x.shape) if len(gaps) else x * 0
    out, beside = {}, iter(found[len(q["kept"]) + 1 :])
    for entry in header["columns"]:
        name = entry["name"]
        if entry["stored"] != "model":
            out[name] = exact(next(beside))
            continue
        i = [column["name"] for column in modelled].index(name)
        values = x[:, i]
        if modelled[i]["kind"] == "number":
            unit = 10.0 ** modelled[i]["decimals"]
            values = np.clip(np.rint(values * unit) / unit, *header["ranges"][name])
        levels = modelled[i].get("levels", ())
        values = [levels[int(v)] for v in values] if levels else values.tolist()
        out[name] = [None if gap else v for v, gap in zip(values, gaps[:, i], strict=True)]
    return out
