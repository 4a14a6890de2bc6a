"""Text of a mixture of contexts (FORMAT.md, section 11)."""

from itertools import pairwise

FULL = 1 << 32
SCATTER = 0x9E3779B1
LEVELS = [
    1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348, 3607,
    3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
]  # fmt: skip
ORDERS = (0, 1, 2, 3, 4, 6)


def h(a, b):
    x = (a * SCATTER % FULL) ^ (b + 0x7F4A7C15 + (a >> 15)) % FULL
    y = x * 0x85EBCA6B % FULL
    return y ^ y >> 13


def s(x):
    if abs(x) > 2047:
        return 4095 if x > 0 else 0
    i, r = (x >> 7) + 16, x % 128
    return LEVELS[i] * (128 - r) + LEVELS[i + 1] * r + 64 >> 7


def stretches():
    table, x = [], -2047
    for p in range(4095):
        while s(x) < p:
            x += 1
        table.append(x)
    return [*table, 2047]


T = stretches()


def cut(x, low, high):
    return min(max(x, low), high)


class Fields:
    """Where the text is within its record, and what stands above in the record before."""

    def __init__(self, delimiter):
        self.ends = (delimiter, 10)
        self.number = self.inner = self.left = self.upper = 0
        self.above, self.own, self.earlier = None, {0: [0, 0]}, {}

    def add(self, text):
        byte = text[-1]
        if self.above is not None and text[self.above] not in self.ends:
            self.above += 1
        if byte not in self.ends:
            self.inner = h((self.inner + 1) % FULL, byte)
            return
        self.own[self.number][1] = self.inner
        self.left, self.number = self.inner, min(self.number + 1, 255)
        if byte == 10:
            self.own, self.earlier, self.left, self.number = {}, self.own, 0, 0
        self.own.setdefault(self.number, [0, 0])[0] = len(text)
        self.above, self.upper = self.earlier.get(self.number, (None, 0))
        self.inner = 0

    def contexts(self, text):
        g = 256 * self.number + 128
        at = [0, 0]
        if self.above is not None:
            at = [*text[self.above : self.above + 2], 0, 0]
        last = text[-1] if text else 0
        return [
            h(g, self.inner),
            h(g + 1, 65536 * at[0] + 256 * at[1] + last),
            h(h(g + 2, self.inner), self.left),
            h(h(g + 3, self.inner), self.upper),
        ]


class Words:
    """The line so far, and its last words, of a text that is mixed widely."""

    def __init__(self):
        self.line, self.words = 0, [0, 0, 0]

    def add(self, text):
        byte = text[-1] + 32 * (65 <= text[-1] <= 90)
        if 48 <= byte <= 57 or 97 <= byte <= 122 or byte >= 128:
            self.words[0] = h((self.words[0] + 1) % FULL, byte)
        elif self.words[0]:
            self.words = [0, *self.words[:2]]
        self.line = 0 if byte == 10 else h((self.line + 1) % FULL, text[-1])

    def contexts(self, text):
        last, second, third = [*reversed(text[-3:]), 0, 0, 0][:3]
        word, before, other = self.words
        far = h(h(word, other), last)
        whole = [word, h(word, before), far, 256 * second + third, self.line]
        return [h(one, number) for number, one in enumerate(whole, 10)]


class Match:
    def __init__(self):
        self.place = self.length = 0
        self.places, self.chances = {}, [65536 - 32768 // (z + 1) for z in range(64)]

    def add(self, text):
        if self.length and text[self.place] == text[-1]:
            self.length, self.place = min(self.length + 1, 65535), self.place + 1
        else:
            self.length = 0
        if len(text) < 5:
            return
        hashed = 0
        for byte in reversed(text[-5:]):
            hashed = h(hashed, byte)
        known = self.places.get(hashed >> 16, 0)
        if known and not self.length:
            self.place = known
            most = min(32, known)
            while self.length < most and text[known - 1 - self.length] == text[-1 - self.length]:
                self.length += 1
        self.places[hashed >> 16] = len(text)

    def bit(self, text, bits, count):
        """(size, the bit that is foretold), or nothing."""
        if not self.length or (text[self.place] | 256) >> 8 - count != bits:
            return None
        n = self.length
        size = n if n < 16 else 16 + (n - 16) // 4 if n < 32 else 20 + n // 64 if n < 512 else 28
        return size, text[self.place] >> 7 - count & 1


class NoRegression:
    """What stands in the place of a regression where there is none."""

    d = ()

    def begin(self):
        pass

    def chances(self, low, upper, end):
        return ()

    def learn(self, symbol):
        pass


NONE = NoRegression()


class Code:
    """An arithmetic code of bits, each by its chance."""

    def __init__(self, data):
        self.data = iter(data)
        self.low, self.high = 0, FULL - 1
        self.x = int.from_bytes(bytes(next(self.data, 0) for _ in range(4)), "big")

    def bit(self, chance):
        middle = self.low + ((self.high - self.low) * chance >> 16)
        y = int(self.x <= middle)
        self.low, self.high = (self.low, middle) if y else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.low, self.high = self.low * 256 % FULL, (self.high * 256 + 255) % FULL
            self.x = (self.x * 256 + next(self.data, 0)) % FULL
        return y


def of_last_bytes(text):
    """The contexts of the last bytes."""
    order, hashes = 0, []
    for i, (before, size) in enumerate(pairwise((0, *ORDERS))):
        for k in range(before, size):
            order = h(order, text[-1 - k] if k < len(text) else 0)
        hashes.append(h(order, i))
    return hashes


def text_of(data, n, begin=b"", widely=False):
    """The n bytes of a mixture, behind bytes that are known and only learned."""
    n += len(begin)
    code = Code(data[1:])
    text, fields, match = bytearray(), Fields(data[0]), Match()
    most_bits, most_met, count_of_contexts = (19, 30, 15) if widely else (18, 40, 10)
    of_words = Words()
    slot_bits = next((k for k in range(8, most_bits) if 1 << k >= 2 * n), most_bits)
    tables = [{} for _ in range(count_of_contexts)]
    weights = [[13000] * (count_of_contexts + 1) + [0] for _ in range(352 + 2048)]
    first = [16 * s(128 * (j - 16)) for j in range(33)]
    finals = {}
    while len(text) < n:
        hashes = [*of_last_bytes(text), *fields.contexts(text)]
        if widely:
            hashes += of_words.contexts(text)
        bits = 1
        for count in range(8):
            if count % 4 == 0:
                slots = []
                for context, table in zip(hashes, tables, strict=True):
                    q = h(context, bits if count else 0)
                    place = q * SCATTER % FULL >> 32 - slot_bits
                    if table.get(place, [0])[0] != q % 65536 | 1:
                        table[place] = q % 65536 | 1, [32768] * 16, [0] * 16
                    slots.append(table[place])
            node = 1 << count % 4 | bits % (1 << count % 4)
            inputs = [T[p[node] >> 4] if met[node] else 0 for _, p, met in slots]
            foretold, kind, sure = match.bit(text, bits, count), 0, 0
            if foretold:
                kind = 1 + (match.length >= 16) + (match.length >= 32)
                sure = T[match.chances[foretold[0]] >> 4] * (1 if foretold[1] else -1)
            inputs += [sure, 256]
            known = sum(met[node] > 0 for _, _, met in slots[2:6])
            places = [bits, 256 + 4 * known + kind, 288 + min(fields.number, 63)]
            if widely:
                places.append(352 + 8 * (text[-1] if text else 0) + count)
            sets = [weights[place] for place in places]
            g = [sum(map(int.__mul__, w, inputs)) >> 16 for w in sets]
            g = [cut(one, -2047, 2047) for one in g]
            mixed = (sum(g) + 2048 * len(g)) // len(g) - 2048
            j = mixed + 2048 + 64 >> 7
            a = finals.setdefault(bits, list(first))
            b = finals.setdefault((text[-1] if text else 0, count), list(first))
            chance = cut(32 * s(mixed) + a[j] + b[j] >> 2, 24, 65512)
            is_known = len(text) < len(begin)
            y = begin[len(text)] >> 7 - count & 1 if is_known else code.bit(chance)
            for _, p, met in slots:
                p[node] += (65535 * y - p[node]) * (131072 // (2 * met[node] + 3)) >> 16
                met[node] = min(met[node] + 1, most_met)
            if foretold:
                right = 65535 * (foretold[1] == y)
                match.chances[foretold[0]] += right - match.chances[foretold[0]] >> 6
            rate = 110 if len(text) < 2000 else 50 if len(text) < 20000 else 20
            for w, one in zip(sets, g, strict=True):
                miss = (4096 * y - s(one)) * rate
                w[:] = [v + (i * miss + 32768 >> 16) for v, i in zip(w, inputs, strict=True)]
            for final in (a, b):
                final[j] += 65535 * y - final[j] >> 6
            bits = 2 * bits + y
        text.append(bits - 256)
        fields.add(text)
        of_words.add(text)
        match.add(text)
    return bytes(text[len(begin) :])


def symbols_of_mixture(data, count, alphabet, contexts, starts, shift, weight, regression=NONE):
    """The symbols of a mixed stream (section 4). contexts: of each what its base is made of, for
    every symbol, the own part, how many symbols before or a name, and the limit of met."""
    code = Code(data)
    slot_bits = next(k for k in range(8, 19) if 1 << k >= 8 * count or k == 18)
    size = (alphabet - 1).bit_length()
    tables = [{} for _ in contexts]
    first_weights = [weight] * len(contexts) + [10000] * len(regression.d) + [0]
    weights = [list(first_weights) for _ in range(1 << size)]
    limits = [limit for _, _, limit in contexts]
    finals, recent = {}, {}
    symbols, level, mean, middling = [], 0, None, None
    for i in range(count):
        own = {"level": level >> shift & FULL - 1, 0: 0}
        own |= {"mean": (mean or 0) >> 8, "middling": (middling or 0) >> 10 & FULL - 1}
        for k in range(1, 7):
            own[k] = h(own[k - 1], symbols[-k] if k <= i else 0)
        hashes, asked = [], []
        for c, (marks, kind, _) in enumerate(contexts):
            base = c
            for mark in marks:
                base = h(base, mark[i])
            if kind == "recent":
                asked.append((c, base * SCATTER % FULL >> 32 - slot_bits))
                hashes.append(h(c, recent.get(asked[-1], 0)))
            else:
                hashes.append(h(base, own[kind]))
        regression.begin()
        node = 1
        for left in range(size - 1, -1, -1):
            if ((2 * node + 1) << left) - (1 << size) >= alphabet:
                node *= 2
                continue
            slots = []
            for context, table in zip(hashes, tables, strict=True):
                q = h(context, node)
                place = q * SCATTER % FULL >> 32 - slot_bits
                if table.get(place, [0])[0] != q % 65536 | 1:
                    table[place] = [q % 65536 | 1, 32768, 0]
                slots.append(table[place])
            inputs = [T[p >> 4] if met else 0 for _, p, met in slots]
            begins = [(2 * node + bit << left) - (1 << size) for bit in (0, 1, 2)]
            inputs += [*(T[p] for p in regression.chances(*begins)), 256]
            sets = weights[0], weights[node]
            g = [cut(sum(map(int.__mul__, w, inputs)) >> 16, -2047, 2047) for w in sets]
            mixed = sum(g) >> 1
            j = mixed + 2048 + 64 >> 7
            a = finals.setdefault(node, [16 * s(128 * (k - 16)) for k in range(33)])
            chance = cut(48 * s(mixed) + a[j] >> 2, 8, 65528)
            y = code.bit(chance)
            for slot, limit in zip(slots, limits, strict=True):
                slot[1] += (65535 * y - slot[1]) * (131072 // (2 * slot[2] + 3)) >> 16
                slot[2] = min(slot[2] + 1, limit)
            rate = max(8, 41000 // (500 + i))
            for w, one in zip(sets, g, strict=True):
                miss = (4096 * y - s(one)) * rate
                w[:] = [v + (n * miss + 32768 >> 16) for v, n in zip(w, inputs, strict=True)]
            a[j] += 65535 * y - a[j] >> 6
            node = 2 * node + y
        symbols.append(node - (1 << size))
        regression.learn(symbols[-1])
        level = (level + starts[symbols[-1]] + FULL * FULL // 2) % (FULL * FULL) - FULL * FULL // 2
        recent |= dict.fromkeys(asked, symbols[-1] + 1)
        at, low_bits = 256 * symbols[-1], ((level >> shift) + FULL // 2) % FULL - FULL // 2
        mean = at if mean is None else mean + (at - mean >> 3)
        at = 256 * low_bits
        middling = at if middling is None else middling + (at - middling >> 3)
    return symbols
