"""Coded pictures (FORMAT.md, section 10)."""

import re
from itertools import product

import numpy as np

from tests.format_reader.blobs import blob
from tests.format_reader.container import PAGE, check, varint

SECTION = re.search(r"\n## 10\..*?\n## ", PAGE.read_text(), re.DOTALL)[0]
WORD = 0xFFFFFFFF
GOLDEN, MIX, APART = 0x9E3779B1, 0x2545F491, 0x85EBCA6B
HALF = [int(number) for number in re.search(r"\n    (1 1 1 .*)\n", SECTION)[1].split()]
STEPS = [1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 90, 130]
COARSE = [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7]
USES = [0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 42, 63, 94, 141, 212, 255]


def presets():
    """(contexts, selectors) of each, as the table has them."""
    listed = []
    for number, *cells in re.findall(r"\n\| (\d) \| (.*?) \|(.*?)\|", SECTION):
        lists = []
        for column, cell in enumerate(cells):
            terms = [term.strip() for term in cell.split(";") if term.strip()]
            before = listed[int(number) - 1][column] if terms and "those of" in terms[0] else []
            own = [term.split(", ") for term in terms if "those of" not in term]
            lists.append(before + own)
        listed.append(lists)
    return listed


PRESETS = presets()
NODES = [*HALF, *(65536 - node for node in HALF[-2::-1])]


def squash(vote):
    node, part = divmod(vote + 2048, 64)
    return min(65535, (NODES[node] * (64 - part) + NODES[node + 1] * part + 32) >> 6)


STRETCH = []
for probability in range(4096):
    least = STRETCH[-1] if STRETCH else -2048
    while least < 2047 and squash(least) < 16 * probability + 8:
        least += 1
    STRETCH.append(least)


def clip(value, low, high):
    return min(max(value, low), high)


def mixed(seed, numbers):
    for number in numbers:
        seed = (seed + number + 1) * MIX & WORD
        seed ^= seed >> 15
    return seed


class Bits:
    """Decodes bits. learned: counters {place: (probability, uses)}, weights and last of a model."""

    def __init__(self, data, preset, bits, learned, grown=False):
        self.data, self.bits, self.grown = data, bits, grown
        self.contexts, self.selectors = PRESETS[preset]
        networks = len(self.selectors) + 1
        self.networks = networks
        self.counters, self.weights, self.last = learned or ({}, {}, {})
        self.told = dict(self.counters) if grown else {}
        if grown:
            self.counters = {}
        # of a model's counters those that it never used are left out
        self.unused = ((1 << 21) + 512, 0) if learned else (1 << 21, 0)
        self.low, self.high = 0, WORD
        self.code, self.at = int.from_bytes(data[:4].ljust(4, b"\0"), "big"), 4

    def aim(self, key):
        self.lines = [
            (i, ((one + key) * GOLDEN & WORD) >> (32 - self.bits) & ~15)
            for i, one in enumerate(self.hashes)
        ]

    def counter(self, place):
        if not self.grown or place in self.counters:
            return self.counters.get(place, self.unused)
        i, number = place
        line = number >> 4 >> (self.bits - 16)
        chance, uses = self.told.get((i, 16 * line + number % 16), self.unused)
        return chance, min(uses, 28)

    def next(self, slot, node):
        places = [(i, line + slot) for i, line in self.lines]
        inputs = []
        for place in places:
            chance, uses = self.counter(place)
            vote = STRETCH[chance >> 10]
            inputs.append(vote * uses >> 2 if uses < 4 else vote)
        inputs.append(256)
        sets = [node, *(16 * number + min(node, 15) for number in self.numbers)]
        chosen = [
            self.weights.setdefault((k, place), [2458] * len(inputs))
            for k, place in enumerate(sets)
        ]
        votes = [
            clip(sum(w * x for w, x in zip(weights, inputs, strict=True)) >> 13, -2047, 2047)
            for weights in chosen
        ]
        last = self.last.setdefault(node, [65536 // self.networks] * self.networks)
        total = sum(w * vote for w, vote in zip(last, votes, strict=True))
        p = squash(clip(total >> 16, -2047, 2047))
        width = self.high - self.low
        middle = self.low + (width >> 16) * p + (width % 65536 * p >> 16)
        bit = int(self.code <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            following = self.data[self.at] if self.at < len(self.data) else 0
            self.low = self.low << 8 & WORD
            self.high = (self.high << 8 & WORD) + 255
            self.code = (self.code << 8 & WORD) + following
            self.at += 1
        truth = bit << 16
        for k, (weights, vote) in enumerate(zip(chosen, votes, strict=True)):
            moved = last[k] + ((2 * vote * (truth - p) + 2**17) >> 18)
            last[k] = clip(moved, -(2**20), 2**20)
            error = (truth - squash(vote)) * 8 >> 5
            weights[:] = [
                clip(w + ((x * error + 2**15) >> 16), -(2**15), 2**15 - 1)
                for w, x in zip(weights, inputs, strict=True)
            ]
        for place in places:
            chance, uses = self.counter(place)
            rate = 2**17 // (2 * uses + 3)
            up = (2**22 - 1 - chance) * rate >> 16
            chance += up if bit else -(chance * rate >> 16)
            self.counters[place] = chance, min(uses + 1, 255)
        return bit

    def value(self, predicted, most, bound=0):
        step = 2 * bound + 1
        under, over = (predicted + bound) // step, (most - predicted + bound) // step
        if not under and not over:
            return predicted
        self.aim(0)
        if self.next(0, 0):
            return predicted
        below = self.next(1, 1) if under and over else int(not over)
        largest = under if below else over
        length = 0
        while 2 ** (length + 1) <= largest:
            node = 2 + 7 * below + min(length, 6)
            if not self.next(node, node):
                break
            length += 1
        distance, key, slot = 2**length, 1 + 32 * below + length, 1
        self.aim(key)
        for depth in range(length):
            if depth and depth % 4 == 0:
                key, slot = 64 * key + slot, 1
                self.aim(key)
            worth, bit = 2 ** (length - 1 - depth), 0
            if distance + worth <= largest:
                bit = self.next(slot, 16 + 4 * min(length, 7) + min(depth, 3))
            slot, distance = 2 * slot + bit, distance + bit * worth
        return clip(predicted + (-step if below else step) * distance, 0, most)


class Planes:
    """Decodes the planes of pictures, (n, planes, height, width), 0 .. most."""

    def __init__(self, shape, most, bits, bound=0):
        self.out = np.zeros(shape, int).tolist()
        self.shape, self.most, self.bits = shape, most, bits
        self.wrong = np.zeros(shape, int).tolist()
        self.missed, self.marks = {}, {}
        self.linear = [[20000, 20000] + [0] * 20 for _ in range(shape[1])]
        self.bound = bound
        self.less = max(0, most.bit_length() - 8)
        self.coarser = self.less + (bound.bit_length() - 1 if bound else 0)
        _, _, height, width = shape
        self.less_y = max(0, (height - 1).bit_length() - 6)
        self.less_x = max(0, (width - 1).bit_length() - 6)

    def decoded(self):
        count, planes, height, width = self.shape
        for n, y, x, c in product(range(count), range(height), range(width), range(planes)):
            self.pixel(n, c, y, x)
        return np.array(self.out, np.int64).reshape(self.shape)

    def cl(self, number):
        size = sum(step <= abs(number) >> self.coarser for step in STEPS)
        return -size if number < 0 else size

    def co(self, number):
        size = self.cl(number)
        return -COARSE[-size] if size < 0 else COARSE[size]

    def about(self, n, c, y, x):
        """Neighbours by their names."""
        rows = self.out[n][c]

        def at(up, right):
            row, column = y - up, x + right
            if column < 0:
                return rows[row - 1][0] if row else 0
            return rows[row][min(column, self.shape[3] - 1)]

        near = {"W": at(0, -1), "WW": at(0, -2), "WWW": at(0, -3)}
        for name, up, right in (
            ("N", 1, 0), ("NW", 1, -1), ("NE", 1, 1), ("NWW", 1, -2), ("NEE", 1, 2),
            ("NN", 2, 0), ("NNE", 2, 1), ("NNW", 2, -1), ("NNN", 3, 0),
        ):  # fmt: skip
            if y == 0:
                near[name] = near["W"]
            elif up <= y:
                near[name] = at(up, right)
            else:
                shorter = {"NN": "N", "NNE": "NE", "NNW": "NW", "NNN": "NN"}[name]
                near[name] = near[shorter]
        return near

    def earlier(self, n, c, y, x, w):
        if n == 0:
            return [w] * 5
        rows, (_, _, height, width) = self.out[n - 1][c], self.shape
        places = ((y, x), (y, x - 1), (y - 1, x), (y, x + 1), (y + 1, x))
        return [rows[clip(b, 0, height - 1)][clip(a, 0, width - 1)] for b, a in places]

    def error(self, n, c, y, x):
        inside = y >= 0 and 0 <= x < self.shape[3]
        return self.wrong[n][c][y][x] if inside else 0

    def guesses(self, n, c, y, x, a, p):
        """(guesses, what the linear one adds up)."""
        others = [(self.out[n][k][y][x], self.about(n, k, y, x)) for k in range(min(c, 2))]
        w, north = a["W"], a["N"]
        listed = [
            sorted((w, north, w + north - a["NW"]))[1],
            (w + north >> 1) + (a["NE"] - a["NW"] >> 2),
            w + a["NE"] - north,
            north + a["NE"] - a["NNE"],
            w + (w - a["WW"] >> 1),
        ]
        names = ("NW", "NE", "NN", "NNE", "NNW", "NEE", "NWW", "NNN", "WWW")
        added = [north - w, w - a["WW"], *(a[name] - w for name in names)]
        if self.shape[0] > 1:
            listed.append(p[0] + (w - p[1] + north - p[2] >> 1))
            added += [value - w for value in p]
        for k, (value, b) in enumerate(others):
            listed.append(value + (w - b["W"] + north - b["N"] >> 1))
            near = [value, b["N"]] if k else [value, b["N"], b["NW"], b["NE"]]
            added += [one - b["W"] for one in near]
        weighed = sum(a * y for a, y in zip(self.linear[c], added, strict=False))
        listed.append(w + (weighed + 2**15 >> 16))
        return [clip(guess, 0, self.most) for guess in listed], added

    def predicted(self, n, c, y, x, guesses):
        total = weights = 0
        near = ((0, -1, 2), (0, -2, 1), (-1, 0, 2), (-1, -1, 1), (-1, 1, 1))
        for k, guess in enumerate(guesses):
            missed = 1
            for down, right, times in near:
                missed += times * self.missed.get((n, c, y + down, x + right, k), 0)
            weight = ((2**24 // clip(missed >> self.less, 1, 4095)) ** 2 >> 16) + 1
            total, weights = total + weight * guess, weights + weight
        return (total + weights // 2) // weights

    def pixel(self, n, c, y, x):
        a = self.about(n, c, y, x)
        p = self.earlier(n, c, y, x, a["W"])
        guesses, added = self.guesses(n, c, y, x, a, p)
        at = self.predicted(n, c, y, x, guesses)
        seen = [a[name] for name in ("W", "N", "NW", "NE", "WW", "NN")]
        mark = mixed(APART * c & WORD, seen) * GOLDEN % 2**32 >> 16
        f = self.features(n, c, y, x, a, p, guesses, at) | {"repeated": self.marks.get(mark, 0)}
        self.bits.hashes = [
            mixed(GOLDEN * (i + 1) + APART * c & WORD, [f[name] for name in names])
            for i, names in enumerate(self.bits.contexts)
        ]
        self.bits.numbers = []
        for names in self.bits.selectors:
            number = c
            for name in names:
                number = 19 * number + f[name]
            self.bits.numbers.append(number % 256)
        value = self.bits.value(at, self.most, self.bound)
        self.out[n][c][y][x], self.wrong[n][c][y][x] = value, value - at
        self.marks[mark] = value + 1
        for k, guess in enumerate(guesses):
            self.missed[n, c, y, x, k] = abs(value - guess)
        error, norm = value - guesses[-1], 64 + sum(one * one for one in added)
        step = (2**20 * abs(error) // norm) * (-1 if error < 0 else 1)
        for i, one in enumerate(added):
            self.linear[c][i] = clip(self.linear[c][i] + (step * one >> 10), -(2**24), 2**24)

    def features(self, n, c, y, x, a, p, guesses, at):
        w, north, nw, ne, ww, nn = (a[name] for name in ("W", "N", "NW", "NE", "WW", "NN"))
        error_w, error_n = self.error(n, c, y, x - 1), self.error(n, c, y - 1, x)
        corners = abs(self.error(n, c, y - 1, x - 1)) + abs(self.error(n, c, y - 1, x + 1))
        errors = 2 * abs(error_w) + 2 * abs(error_n) + corners
        slopes = abs(w - nw) + abs(north - nw) + abs(north - ne) + abs(w - ww) + abs(north - nn)
        first = self.out[n][0][y][x] if c else 0
        plane = first + w - self.about(n, 0, y, x)["W"] if c else p[0]
        near = {"w": w, "n": north, "nw": nw, "ne": ne, "ww": ww, "nn": nn, "before": p[0]}
        near |= {"linear": guesses[-1], "median": guesses[0], "plane": plane}
        sides = (w, north, nw, ne, ww, nn, a["NEE"], p[0])
        return {
            "predicted": at,
            "predicted coarse": at >> (self.less + 4),
            "x": x >> self.less_x,
            "y": y >> self.less_y,
            "energy": self.co((errors + slopes) // 6),
            "energy fine": 2 * self.cl(errors + 2 * slopes >> 3) + (errors > slopes),
            "texture": self.cl(slopes >> 1),
            "spread": self.cl(max(guesses) - min(guesses)),
            "ends": sum((side in (0, self.most)) << k for k, side in enumerate(sides)),
            "w exact": w,
            "n exact": north,
            "error w": self.cl(error_w),
            "error n": self.cl(error_n),
            "error before": self.cl(self.error(n - 1, c, y, x)) if n else 0,
            "error first": self.error(n, 0, y, x) if c > 0 else 0,
            "error second": self.error(n, 1, y, x) if c > 1 else 0,
            "first": first,
            **{name: self.cl(value - at) for name, value in near.items()},
            **{f"{name} coarse": self.co(near[name] - at) for name in ("w", "n", "nw", "ne")},
        }


def pictures(data, shape, width, learned=None):
    """Values (n, channels, height, width). learned: the arrays of a model."""
    dtype, way, rest = f"<u{width}", data[0], data[1:]
    if way == 0:
        return np.frombuffer(blob(rest), dtype).reshape(shape)
    preset, colours, most, bits, palette = (way & 7) - 1, way >> 4 & 3, 255, 16, None
    check(way & 8 == 0 or colours == 3, "a filter of exact pictures")
    grown = way >> 7
    check(way & 64 or not grown, "an unknown way")
    if width == 2:
        most, rest = varint(rest)
    state = learned_of(learned, preset) if way & 64 else None
    if state is None or grown:
        bits, rest = rest[0], rest[1:]
    planes, largest = shape[1], most
    if colours == 2:
        count, rest = varint(rest)
        size, rest = varint(rest)
        palette = np.frombuffer(blob(rest[:size]), dtype).reshape(count, shape[1])
        planes, largest, rest = 1, max(1, count - 1), rest[size:]
    bound = 0
    if colours == 3:
        bound, rest = varint(rest)
    filters = []
    if way & 8:
        count, rest = rest[0], rest[1:]
        check(0 < count < 4, "the number of filters")
        for _ in range(count):
            away, (size, rest) = rest[0], varint(rest[1:])
            check(0 < away < 3, "the neighbours of a filter")
            numbers = np.frombuffer(blob(rest[:size]), np.int8).tolist()
            filters.append((away, numbers))
            rest = rest[size:]
    coder = Bits(rest, preset, bits, state, grown)
    values = Planes((shape[0], planes, *shape[2:]), largest, coder, bound).decoded()
    check(coder.at == len(rest) + 3, "the end of coded pictures")
    restored = values
    for away, numbers in filters:
        values = filtered(values, restored, away, numbers, bound, most)
    if palette is not None:
        return palette[values[:, 0]].transpose(0, 3, 1, 2)
    if colours == 1:
        half, size = (most + 1) // 2, most + 1
        green, red, blue = values[:, 0], values[:, 1], values[:, 2]
        red[:] = (red + green - half) % size
        blue[:] = (blue + (green + red >> 1) - half) % size
    if planes > 2:
        values[:, :2] = values[:, 1::-1].copy()
    return values.astype(dtype)


ENDS = (-16, -10, -6, -3, -1, 1, 3, 6, 10, 16)


def filtered(values, restored, away, numbers, bound, most):
    """New planes by one filter, value by value. numbers: its corrections, all planes in one list."""
    step, out = 2 * bound + 1, values.copy()
    count, planes, height, width = values.shape
    sides = [
        (down, right)
        for ring in range(1, away + 1)
        for down in range(-ring, ring + 1)
        for right in range(-ring, ring + 1)
        if max(abs(down), abs(right)) == ring
    ]
    columns = 1 + 11 * len(sides)
    check(len(numbers) == planes * 5 * columns, "the corrections of a filter")
    for n, c, y, x in np.ndindex(values.shape):
        v = int(values[n, c, y, x])
        if v == 0:
            kind = 0
        elif v == most:
            kind = 1
        elif v <= bound:
            kind = 2
        else:
            kind = 3 if v >= most - bound else 4
        at = (c * 5 + kind) * columns
        total = numbers[at]
        for k, (down, right) in enumerate(sides):
            row, column = min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)
            d = int(values[n, c, row, column]) - v
            total += numbers[at + 1 + 11 * k + sum(d > end * step // 8 for end in ENDS)]
        new, before = v + (total * step + 128 >> 8), int(restored[n, c, y, x])
        new = min(max(new, before - bound), before + bound)
        out[n, c, y, x] = min(max(new, 0), most)
    return out


def learned_of(arrays, preset):
    """Counters, weights and last of a model, as Bits takes them."""
    parts = ("counters", "weights", "last")
    kept, weights, last = (arrays[f"pictures.{preset}.{part}"] for part in parts)
    inputs = len(PRESETS[preset][0]) + 1
    counters, lists = {}, {}
    for place in np.flatnonzero(kept != 2048 << 4).tolist():
        of_context, number = divmod(place, 1 << 16)
        one = int(kept[place])
        counters[of_context, number] = (one >> 4 << 10) + 512, USES[one & 15]
    for k, sets in enumerate(weights.tolist()):
        for place, row in enumerate(sets):
            lists[k, place] = row[:inputs]
    return counters, lists, dict(enumerate(last.tolist()))
