"""Streams of whole numbers: tables, rANS, repeats, transforms (FORMAT.md, section 4)."""

from itertools import pairwise

import numpy as np

from tests.format_reader.blobs import blob
from tests.format_reader.container import check, varint
from tests.format_reader.mixing import NONE, symbols_of_mixture
from tests.format_reader.regression import Regression, regressor

FULL = 1 << 64
BASE = 0x9E3779B97F4A7C15
LOW = 1 << 16  # what a state is at the end, and at least before


def tables(counts, radices, strength):
    """The frequencies of each symbol in each context, (contexts, alphabet)."""
    size = counts.shape[1]
    above = np.array([[16384 // size + 16384 % size] + [16384 // size] * (size - 1)])
    for radix in [1, *radices]:
        above = above.repeat(radix, axis=0)
        n = counts.reshape(len(above), -1, size).sum(axis=1)
        total = n.sum(axis=1, keepdims=True)
        f = 1 + (16384 * n + strength * above) * (16384 - size) // (16384 * (total + strength))
        f[np.arange(len(f)), f.argmax(axis=1)] += 16384 - f.sum(axis=1)
        above = np.where(total > 0, f, above)
    return above


class Rans:
    """States of lanes, and words, from which symbols of stream after stream are taken."""

    def __init__(self, data, lanes=1):
        self.states = np.frombuffer(data, "<u4", lanes).tolist() if data else [LOW] * lanes
        self.words = iter(np.frombuffer(data[4 * lanes :], "<u2").tolist())

    def symbols(self, count, alphabet, features=(), strength=8, prime=0):
        """The next stream. features: of each its radix, and its value as a function of the symbols
        so far, a symbol's place, and its step."""
        lanes = len(self.states)
        symbols, steps = [0] * count, -(-count // lanes)
        radices = [radix for radix, _ in features]
        counts = np.zeros((int(np.prod(radices, dtype=int)), alphabet), np.int64) + prime
        begin, limit = 0, 32
        while begin < steps and alphabet > 1:
            end = min(steps, max(begin + 1, -(-limit // lanes)))
            f = tables(counts, radices, strength)
            before = np.cumsum(f, axis=1) - f
            for step in range(begin, end):
                for lane in range(lanes):
                    place = lane * steps + step
                    if place >= count:
                        continue
                    context = 0
                    for radix, look in features:
                        context = context * radix + int(look(symbols, place, step))
                    symbol = self.pop(lane, f[context], before[context])
                    symbols[place] = symbol
                    counts[context, symbol] += 1
            begin, limit = end, limit + limit // 2
        return symbols

    def pop(self, lane, f, before):
        state = self.states[lane]
        symbol = int(np.searchsorted(before, state % 16384, "right")) - 1
        state = int(f[symbol]) * (state >> 14) + state % 16384 - int(before[symbol])
        self.states[lane] = state if state >= LOW else state << 16 | next(self.words)
        return symbol

    def finish(self):
        check(set(self.states) == {LOW} and not list(self.words), "the end of a stream")


class Repeat:
    """The feature "m": what came after the last stretch of symbols like the last ones."""

    def __init__(self, edges, size, alphabet):
        self.classes = np.searchsorted(np.cumsum(edges), np.arange(alphabet), "right").tolist()
        self.radix = 2 * self.classes[-1] + 3
        self.size, self.slots, self.done = size, {}, 0
        self.place, self.hits, self.misses = None, 0, 0

    def add(self, symbols, i):
        if self.place is not None:
            hit = symbols[self.place] == symbols[i]
            self.hits, self.misses = (self.hits + 1, 0) if hit else (0, self.misses + 1)
            self.place = self.place + 1 if self.misses < 8 else None
        if i + 1 < self.size:
            return
        hashed = sum((symbols[i - j] + 1) * pow(BASE, j, FULL) for j in range(self.size))
        slot = hashed * BASE % FULL >> 46
        if slot in self.slots and (self.place is None or not self.hits):
            self.place, self.hits, self.misses = self.slots[slot], 0, 0
        self.slots[slot] = i + 1

    def look(self, symbols, i, step):
        for before in range(self.done, i):
            self.add(symbols, before)
        self.done = i
        if self.place is None:
            return 0
        often = (self.hits >= 16) * (self.classes[-1] + 1)
        return 1 + self.classes[symbols[self.place]] + often


class Streams:
    """The streams of a block, one after the other.

    part: a function that gives the next part's bytes; joined: the part of all streams, or None.
    values, symbols: of each stream so far, for every row.
    """

    def __init__(self, rows, plans, part, joined):
        self.rows, self.plans, self.part = rows, plans, part
        self.values, self.symbols, self.sizes, self.joined = [], [], [], None
        if joined is not None:
            size, rest = varint(joined)
            self.joined, self.raw = Rans(rest[:size]), rest[size:]

    def plan(self, number):
        """(the plan of a stream, the counts that it begins with)."""
        return self.plans[number], 0

    def next(self, present):
        """The values of the next stream, in the rows where it is present."""
        plan, prime = self.plan(len(self.values))
        if "y" in plan:
            above = np.frombuffer(blob(self.part()), f"<u{plan['y']}")
            return self.keep(plan, present, above.astype(np.uint64).view(np.int64) + plan["o"])
        starts, widths, alphabet = bins_of(plan)
        features = [self.feature(f, present, alphabet, plan) for f in plan.get("f", [])]
        coded = int(present.sum()), alphabet, features, plan.get("k", 8), prime
        if "c" in plan or "d" in plan:
            symbols = self.mixed(plan, coded, present, starts)
        else:
            symbols = self.joined.symbols(*coded) if self.joined else self.alone(plan, coded)
        bits = int.from_bytes(self.raw, "little")
        residuals = []
        for symbol in symbols:
            residuals.append(starts[symbol] + (bits & (1 << widths[symbol]) - 1))
            bits >>= widths[symbol]
        used = sum(widths[symbol] for symbol in symbols)
        self.raw = self.raw[(used + 7) // 8 :]
        wrapped = [(r + FULL // 2) % FULL - FULL // 2 for r in residuals]
        values = self.transform(plan, np.array(wrapped, np.int64), present, np.cumsum, 1)
        return self.keep(plan, present, values, symbols)

    def alone(self, plan, coded):
        """The symbols of a stream that is a part of its own; its raw bits are left."""
        data = self.part()
        if not data:
            self.raw = b""
            return [plan.get("z", 0)] * coded[0]
        size, rest = varint(data)
        rans, self.raw = Rans(rest[:size], 1 << plan.get("l", 0)), rest[size:]
        symbols = rans.symbols(*coded)
        rans.finish()
        return symbols

    def mixed(self, plan, coded, present, starts):
        """The symbols of a stream that is mixed; its raw bits are left."""
        data = self.part()
        count, alphabet, features = coded[:3]
        if not data:
            self.raw = b""
            return [plan.get("z", 0)] * count
        size, rest = varint(data)
        self.raw = rest[size:]
        named = zip(plan.get("f", []), features, strict=True)
        looks = [look for (kind, *_), (_, look) in named if kind != "o"]
        marks = [[int(look(None, i, i)) for i in range(count)] for look in looks]
        wide = "d" in plan
        shift, *numbers = plan["d" if wide else "c"]
        others = []
        for g in numbers:
            of = self.symbols[g] if g >= 0 else self.values[-1 - g]
            others.append([int(v) & 0xFFFFFFFF for v in of[present]])
        last = any(feature[0] == "o" for feature in plan.get("f", []))
        contexts = [([], own) for own in (0, 1, 2, 3, 6) if own != 3 or not wide]
        if plan.get("t") == "d":
            contexts += [([], "level"), *[([one], "level") for one in others[:1]]]
        contexts += [(marks[: i + 1], int(last)) for i in range(len(marks))]
        groups = [(0, ("0", "1", "2", "3", "01", "012", "0123"), others)]
        groups += [(0, ("12", "02"), others)] * wide + [(1, ("0", "1", "01"), others)]
        if wide:
            groups.append(("recent", ("0", "1", "01"), others))
            groups += [(0, ("01", "012"), self.eighths(numbers, present)), (2, ("0",), others)]
        for own, sets, marks_of in groups:
            for one in sets:
                if int(one[-1]) < len(others):
                    contexts.append(([marks_of[int(place)] for place in one], own))
        contexts = [(*context, 255) for context in contexts]
        weight = 6500
        if wide:
            contexts.append(([], "middling" if plan.get("t") == "d" else "mean", 255))
            contexts.append(([], 1, 20))
            if others:
                same = zip(*([u == v for u, v in pairwise([0, *of])] for of in others), strict=True)
                bits = [int("".join(str(int(one)) for one in row), 2) for row in same]
                contexts += [(others[:1], 0, 20), ([bits], 1, 255)]
            weight = 104858 // len(contexts)
        regression = self.regression(plan, present) if "n" in plan else NONE
        coded = rest[:size], count, alphabet, contexts, starts, shift, weight
        return symbols_of_mixture(*coded, regression)

    def regression(self, plan, present):
        """What predicts the numbers of a mixed stream."""
        columns = []
        for g in plan["n"]:
            of = max(g, -1 - g)
            is_there = self.symbols[of][present] < self.sizes[of]
            columns.append(regressor(self.values[of][present].tolist(), is_there.tolist(), g < 0))
        starts, widths, alphabet = bins_of(plan)
        return Regression(starts[:alphabet], widths[:alphabet], columns)

    def eighths(self, numbers, present):
        """Of streams by their numbers in a mixture, the eighths of their symbols."""
        out = []
        for g in numbers:
            g = max(g, -1 - g)
            symbols, size = self.symbols[g][present], self.sizes[g] + 1
            out.append([int(s) if size <= 8 else 8 * int(s) // size for s in symbols])
        return out

    def keep(self, plan, present, values, symbols=None):
        """Remembers a stream for those behind it; without symbols they are what its values say."""
        starts, widths, alphabet = bins_of(plan)
        if symbols is None:
            start = np.array(starts[: len(plan["b"])])
            r = self.transform(plan, values, present, lambda x: np.diff(x, prepend=x[:1] * 0), -1)
            bins = np.searchsorted(start, r, "right") - 1
            pairs = zip(bins.tolist(), r.tolist(), strict=True)
            inside = [b >= 0 and v - starts[b] < 1 << widths[b] for b, v in pairs]
            symbols = np.where(inside, bins, len(start))
        everywhere, marks = np.zeros(self.rows, np.int64), np.full(self.rows, alphabet)
        everywhere[present], marks[present] = values, symbols
        self.values.append(everywhere)
        self.symbols.append(marks)
        self.sizes.append(alphabet)
        return values

    def transform(self, plan, v, present, change, sign):
        """Residuals to values, by sums; or back, by differences."""
        kind = plan.get("t", "v")
        if kind == "d":
            return change(v)
        if kind == "v":
            return v
        if kind == "s":
            return change(change(v))
        if kind in "lm":
            combined = self.combination(*plan["p"])[present]
            if kind == "l":
                return v + sign * combined
            return change(v) + combined if sign > 0 else change(v - combined)
        if kind == "k":
            return self.keyed(plan, v, present, sign)[0]
        other = self.values[plan["g"]][present]
        if kind == "c":
            return v + sign * other
        order, changed = np.argsort(other, kind="stable"), np.empty_like(v)
        changed[order] = change(v[order])
        return changed

    def combination(self, divisor, *terms):
        """What terms over a divisor come to in each row, modulo 2^64; or what is computed."""
        if isinstance(divisor, str):
            return np.array([self.computed(divisor, terms, row) for row in range(self.rows)])
        total = [divisor // 2] * self.rows
        for factor, *pairs in terms:
            for row in range(self.rows):
                product = factor
                for stream, lag in zip(pairs[::2], pairs[1::2], strict=True):
                    product *= int(self.values[stream][row - lag]) if row >= lag else 0
                total[row] += product
        wrapped = [(one + FULL // 2) % FULL - FULL // 2 for one in total]
        return np.array([one // divisor for one in wrapped], np.int64)

    def computed(self, operator, parts, row):
        """What an operator makes of one operand or two in a row, as floats."""
        operands = []
        for power, stream, lag in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            value = float(int(self.values[stream][row - lag])) if row >= lag else 0.0
            scale = float(10 ** abs(power))
            operands.append(value * scale if power >= 0 else value / scale)
        if operator == "/" and operands[1] == 0:
            return 0
        result = {
            "=": lambda first: first,
            "+": lambda first, second: first + second,
            "-": lambda first, second: first - second,
            "*": lambda first, second: first * second,
            "/": lambda first, second: first / second,
        }[operator](*operands)
        return round(result) if abs(result) <= 2.0**62 else 0

    def keyed(self, plan, v, present, sign):
        """(values of residuals, or back; how often each row's key came before, in classes)."""
        keys = self.values[plan["g"]].tolist()
        pair = [self.values[number].tolist() for number in plan.get("j", ())]
        first, last, often = {}, {}, {}
        for key, value in zip(*pair, strict=True) if pair else ():
            first.setdefault(key, value)
        out, classes, given = [], [], iter(v.tolist())
        for row in range(self.rows):
            if pair:
                last[pair[0][row]] = pair[1][row]
                often[pair[0][row]] = often.get(pair[0][row], 0) + 1
            if not present[row]:
                continue
            key, one = keys[row], next(given)
            foretold = last.get(key, first.get(key, 0))
            changed = (one + sign * foretold + FULL // 2) % FULL - FULL // 2
            last[key] = changed if sign > 0 else one
            count = max(often.get(key, 0), key in first)
            classes.append(min(3, count.bit_length()))
            often[key] = often.get(key, 0) + 1
            out.append(changed)
        return np.array(out, np.int64), classes

    def feature(self, feature, present, alphabet, plan):
        """(radix, value of a symbol's place)."""
        kind, *rest = feature
        if kind == "k":
            return 4, listed(self.keyed(plan, np.zeros(present.sum(), np.int64), present, 1)[1])
        if kind == "m":
            repeat = Repeat(*rest, alphabet)
            return repeat.radix, repeat.look
        if kind == "e":
            of = self.values[rest[0]]
            return 2, listed(np.append(False, of[1:] == of[:-1])[present])
        edges = np.cumsum(rest[-1])
        if kind == "o":
            classes = np.searchsorted(edges, np.arange(alphabet), "right")
            return len(edges) + 1, lambda out, i, step: classes[out[i - 1] if step else 0]
        of = (self.symbols if kind == "s" else self.values)[rest[0]]
        return len(edges) + 1, listed(np.searchsorted(edges, of[present], "right"))

    def finish(self):
        if self.joined:
            self.joined.finish()


def bins_of(plan):
    """(first residual and bits of each symbol, the escape included; size of the alphabet)."""
    starts = np.cumsum(plan["b"], dtype=np.int64).tolist()
    widths = plan.get("w", [0] * len(starts))
    return [*starts, 0], [*widths, 64], len(starts) + ("x" not in plan)


def listed(values):
    return lambda symbols, place, step: values[place]
