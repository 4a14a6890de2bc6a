"""The regression of a mixture (FORMAT.md, section 4)."""

ONE = 1 << 30


def shares():
    table, f = [], ONE
    for _ in range(1024):
        table.append(ONE * f // (ONE + f))
        f = 4228379999 * f + (1 << 31) >> 32
    return table


L = shares()


def within(x, far):
    return min(max(x, -far), far)


def regressor(values, is_there, before):
    """The regressor of a stream: its values in the rows of another, and which of them are there."""
    there = [v for v, one in zip(values, is_there, strict=True) if one]
    least, most = min(there, default=0), max(there, default=0)
    shift = 10 - (most - least).bit_length()
    u = [v - least for v in there]
    u = [v << shift if shift > 0 else v >> -shift for v in u]
    mean = sum(u) // max(len(u), 1)
    moved = iter([v - mean for v in u])
    out = [next(moved) if one else 0 for one in is_there]
    return [0, *out][: len(out)] if before else out


class Regression:
    """starts, widths: of the bins; regressors: a list of numbers each."""

    def __init__(self, starts, widths, regressors):
        ends = [b + (1 << w) - 1 for b, w in zip(starts, widths, strict=True)]
        doubled = [b + end for b, end in zip(starts, ends, strict=True)]
        borders = [0] + [a + b for a, b in zip(ends, starts[1:], strict=False)]
        m, spread = doubled[0], max(doubled[-1] - doubled[0], 1)
        line = [
            [within(32768 * (q - m) // spread - 16384, 16384) for q in one]
            for one in (doubled, borders)
        ]
        self.middles, self.edges = line
        self.regressors, size = regressors, len(regressors) + 4
        self.v, self.b = [0] * size, [0] * size
        self.g = [[0] * size for _ in range(size)]
        self.n, self.mean, self.y, self.d = 0, 0, [0, 0], [0, 0]
        self.symbols = 0

    def begin(self):
        self.x = [one[self.symbols] for one in self.regressors] + [1024, *self.y, self.mean >> 8]
        q = sum(v * x for v, x in zip(self.v, self.x, strict=True)) >> 12
        self.q = within(q, 32768)

    def below(self, symbol, scale):
        if symbol == 0 or symbol >= len(self.edges):
            return ONE if symbol else 0
        z = within(64 * (self.edges[symbol] - self.q) // scale, 1023)
        return L[-z] if z < 0 else ONE - L[z]

    def chances(self, low, upper, end):
        """Two chances of 4096 that a symbol of low .. end - 1 is upper at least."""
        for d in self.d:
            f = [self.below(symbol, (9 * d >> 12) + 16) for symbol in (low, upper, end)]
            a, b = max(f[2] - f[1], 0) + 64, max(f[1] - f[0], 0) + 64
            yield 4096 * a // (a + b)

    def learn(self, symbol):
        c = self.middles[symbol]
        t, y, size = 256 * abs(c - self.q), c // 16, len(self.v)
        if self.symbols:
            self.d = [d + (t - d >> k) for d, k in zip(self.d, (4, 8), strict=True)]
            self.mean += 256 * y - self.mean >> 3
        else:
            self.d, self.mean = [t, t], 256 * y
        for i in range(size):
            for j in range(size):
                self.g[i][j] += self.x[i] * self.x[j]
            self.b[i] += self.x[i] * y
        self.n += 1
        if self.n == 8192:
            self.n = 4096
            self.g = [[one >> 1 for one in row] for row in self.g]
            self.b = [one >> 1 for one in self.b]
        for i in range(size):
            left = 65536 * self.b[i] - sum(g * v for g, v in zip(self.g[i], self.v, strict=True))
            self.v[i] = within(self.v[i] + left // (self.g[i][i] + 65536), 1 << 20)
        self.y, self.symbols = [y, self.y[0]], self.symbols + 1
