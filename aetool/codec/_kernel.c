/* The hot loops of the codec. Each function has a reference in numpy that computes the same
 * integers (csv/fields.py, rans.py, spans.py, weaving.py, bits.py), the same numbers and moments
 * (data/notation), or the same floats (natives/extrapolation.py); the tests compare them. No
 * dependency; limited API. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif
#ifdef _MSC_VER
#define restrict __restrict
#endif

#define PRECISION 14
#define TOTAL (1u << PRECISION)
#define LOW (1u << 16)
#define MAX_LEVELS 5
#define HINTS 64 /* a table of where to begin looking for a slot's symbol */

/* ---- adaptive tables: rans.py tables() ------------------------------------------------ */

/* Tables are those of the epoch that began last. A context of level 0 has no feature, one of the
 * last level has all. A table is made when it is first asked for in its epoch, and the tables above
 * it with it: in a short epoch most contexts do not come. */
typedef struct {
    Py_ssize_t alphabet, levels, contexts; /* levels: of context below order 0 */
    Py_ssize_t radix[MAX_LEVELS], count_of[MAX_LEVELS + 1];
    uint32_t strength;
    Py_ssize_t rest;       /* contexts per class of the previous symbol */
    const uint8_t *own;    /* class of each symbol as a context, or NULL */
    const uint8_t *match;  /* class of the symbol that a repeat predicts, or NULL */
    Py_ssize_t stride;
    uint32_t *counts[MAX_LEVELS + 1]; /* (contexts of the level, alphabet), before the epoch */
    uint16_t *freq[MAX_LEVELS + 1];
    uint32_t epoch;                     /* 1 for the first */
    uint32_t *made[MAX_LEVELS + 1];     /* the epoch in which a context's table was made last */
    const uint16_t **row[MAX_LEVELS + 1]; /* for each context the frequencies in force */
    uint16_t *uniform;
    uint16_t *cumulative;  /* (contexts, alphabet), of the last level */
    uint16_t *hint;        /* (contexts, HINTS), for decoding */
} Tables;

static void tables_free(Tables *t) {
    for (int l = 0; l <= MAX_LEVELS; l++) {
        free(t->counts[l]);
        free(t->freq[l]);
        free(t->made[l]);
        free((void *)t->row[l]);
    }
    free(t->uniform);
    free(t->cumulative);
    free(t->hint);
}

/* Counts of the last level become those of all: a context of fewer features has the counts of all
 * that differ in the others. */
static void tables_sum(Tables *t) {
    Py_ssize_t a = t->alphabet;
    for (Py_ssize_t l = t->levels - 1; l >= 0; l--) {
        memset(t->counts[l], 0, (size_t)(t->count_of[l] * a) * 4);
        for (Py_ssize_t c = 0; c < t->count_of[l + 1]; c++) {
            uint32_t *to = t->counts[l] + c / t->radix[l] * a, *from = t->counts[l + 1] + c * a;
            for (Py_ssize_t s = 0; s < a; s++)
                to[s] += from[s];
        }
    }
}

/* params: alphabet, strength, levels, radix... */
static int tables_make(Tables *t, const int32_t *params, Py_ssize_t size, const Py_buffer *own,
                       const Py_buffer *prime, int decoding) {
    memset(t, 0, sizeof *t);
    if (size < 3 || params[0] < 1 || params[0] > 4096 || params[1] < 1 || params[1] > 65535 ||
        params[2] < 0 || params[2] > MAX_LEVELS || size != 3 + params[2])
        return -1;
    Py_ssize_t a = t->alphabet = params[0];
    t->strength = (uint32_t)params[1];
    t->levels = params[2];
    t->contexts = 1;
    t->count_of[0] = 1;
    for (Py_ssize_t l = 0; l < t->levels; l++) {
        if (params[3 + l] < 1 || params[3 + l] > 65536)
            return -1;
        t->radix[l] = params[3 + l];
        t->contexts *= params[3 + l];
        if (t->contexts * a > (Py_ssize_t)1 << 24)
            return -1;
        t->count_of[l + 1] = t->contexts;
    }
    t->rest = t->contexts;
    if (own->len) {
        if (own->len != a || !t->levels)
            return -1;
        t->own = own->buf;
        for (Py_ssize_t s = 0; s < a; s++)
            if (t->own[s] >= t->radix[0])
                return -1;
        t->rest = t->contexts / t->radix[0];
    }
    if (prime->len && prime->len != t->contexts * a * 4)
        return -1;
    for (Py_ssize_t l = 0; l <= t->levels; l++) {
        size_t contexts = (size_t)t->count_of[l];
        t->counts[l] = calloc(contexts * (size_t)a, 4);
        t->freq[l] = malloc(contexts * (size_t)a * 2);
        t->made[l] = calloc(contexts, 4);
        t->row[l] = malloc(contexts * sizeof *t->row[l]);
        if (!t->counts[l] || !t->freq[l] || !t->made[l] || !t->row[l])
            return -2;
    }
    t->uniform = malloc((size_t)a * 2);
    t->cumulative = malloc((size_t)(t->contexts * a) * 2);
    t->hint = decoding ? malloc((size_t)t->contexts * HINTS * 2) : NULL;
    if (!t->uniform || !t->cumulative || (decoding && !t->hint))
        return -2;
    for (Py_ssize_t s = 0; s < a; s++)
        t->uniform[s] = (uint16_t)(TOTAL / a + (s == 0 ? TOTAL % a : 0));
    if (!prime->len)
        return 0;
    memcpy(t->counts[t->levels], prime->buf, (size_t)prime->len);
    tables_sum(t);
    return 0;
}

/* Frequencies of 1 or more, which sum to TOTAL, by counts n of `seen` symbols and the table above */
static void mix(const uint32_t *n, const uint16_t *above, uint16_t *out, Py_ssize_t a,
                uint64_t seen, uint64_t strength) {
    uint32_t sum = 0, most = 0;
    if (seen + strength < 1u << 25) {
        /* Whole numbers below 2^53 in doubles, which compilers divide several at a time: all
         * products are exact, and so is the quotient rounded down. It lies 1 / whole or more below
         * the next whole number k, and k whole < 2^53, so that it is never rounded up to k. */
        double whole = (double)((seen + strength) << PRECISION), room = (double)(TOTAL - a);
        double weight = (double)strength;
        for (Py_ssize_t s = 0; s < a; s++) {
            double w = (double)(int32_t)n[s] * (double)TOTAL + weight * (double)above[s];
            out[s] = (uint16_t)(1 + (int32_t)(w * room / whole));
        }
    } else {
        uint64_t whole = (seen + strength) << PRECISION, room = TOTAL - (uint64_t)a;
        for (Py_ssize_t s = 0; s < a; s++) {
            uint64_t w = ((uint64_t)n[s] << PRECISION) + strength * above[s];
            out[s] = (uint16_t)(1 + w * room / whole);
        }
    }
    for (Py_ssize_t s = 0; s < a; s++) {
        sum += out[s];
        most = out[s] > most ? out[s] : most;
    }
    /* what rounding down leaves over is the first largest one's */
    Py_ssize_t best = 0;
    while (out[best] != most)
        best++;
    out[best] = (uint16_t)(out[best] + TOTAL - sum);
}

/* The frequencies in force of a context of level l. */
static const uint16_t *tables_row(Tables *t, Py_ssize_t l, Py_ssize_t c) {
    if (t->made[l][c] == t->epoch)
        return t->row[l][c];
    const uint16_t *row = l ? tables_row(t, l - 1, c / t->radix[l - 1]) : t->uniform;
    Py_ssize_t a = t->alphabet;
    const uint32_t *counts = t->counts[l] + c * a;
    uint64_t seen = 0;
    for (Py_ssize_t s = 0; s < a; s++)
        seen += counts[s];
    if (seen) {
        uint16_t *freq = t->freq[l] + c * a;
        mix(counts, row, freq, a, seen, t->strength);
        row = freq;
    }
    t->row[l][c] = row;
    t->made[l][c] = t->epoch;
    return row;
}

/* Make the table of a full context, with its sums and hints. */
static void tables_fill(Tables *t, Py_ssize_t c) {
    Py_ssize_t a = t->alphabet;
    const uint16_t *row = tables_row(t, t->levels, c);
    uint16_t sum = 0, *cumulative = t->cumulative + c * a;
    for (Py_ssize_t s = 0; s < a; s++) {
        cumulative[s] = sum;
        sum = (uint16_t)(sum + row[s]);
    }
    if (!t->hint)
        return;
    Py_ssize_t s = 0;
    for (uint32_t h = 0; h < HINTS; h++) {
        uint32_t slot = h * (TOTAL / HINTS);
        while (s + 1 < a && cumulative[s + 1] <= slot)
            s++;
        t->hint[c * HINTS + h] = (uint16_t)s;
    }
}

/* The frequencies in force of a full context, whose sums and hints are then in force, too. */
static inline const uint16_t *tables_at(Tables *t, Py_ssize_t c) {
    if (t->made[t->levels][c] != t->epoch)
        tables_fill(t, c);
    return t->row[t->levels][c];
}

/* Whether the symbols of an epoch are so few that each is counted on all levels by itself. */
static inline int tables_few(const Tables *t, Py_ssize_t symbols) {
    return t->levels && symbols * 16 < t->contexts * t->alphabet;
}

/* Count a symbol of a full context on the last level: only between epochs, as tables are made by
 * what was counted before one. few: on all levels; without it tables_sum must follow. */
static inline void tables_count(Tables *t, Py_ssize_t c, Py_ssize_t symbol, int few) {
    t->counts[t->levels][c * t->alphabet + symbol]++;
    if (!few)
        return;
    for (Py_ssize_t l = t->levels - 1; l >= 0; l--) {
        c /= t->radix[l];
        t->counts[l][c * t->alphabet + symbol]++;
    }
}

/* Where the epoch after `limit` symbols ends, in steps of all lanes; advances the limit. */
static Py_ssize_t epoch_end(uint64_t *limit, Py_ssize_t begin, Py_ssize_t lanes) {
    Py_ssize_t end = (Py_ssize_t)((*limit + (uint64_t)lanes - 1) / (uint64_t)lanes);
    *limit += *limit >> 1;
    return end > begin ? end : begin + 1;
}

static PyObject *bad(const char *why) {
    PyErr_SetString(PyExc_ValueError, why);
    return NULL;
}

/* ---- repeats: rans.py Repeats ----------------------------------------------------------- */

#define SLOT_BITS 18
#define LONG_MATCH 16
#define MOST_MISSES 8
#define BASE 0x9E3779B97F4A7C15ull

typedef struct {
    Py_ssize_t size, from; /* symbols compared; where the predicted symbol stands, or -1 */
    uint64_t hash, drop;   /* of the last `size` symbols; BASE^size */
    uint32_t length, misses;
    int32_t *table;
} Repeats;

static int repeats_make(Repeats *r, Py_ssize_t size) {
    r->size = size;
    r->from = -1;
    r->hash = 0;
    r->length = r->misses = 0;
    r->drop = 1;
    for (Py_ssize_t i = 0; i < size; i++)
        r->drop *= BASE;
    r->table = malloc(sizeof(int32_t) << SLOT_BITS);
    if (r->table)
        memset(r->table, 0xFF, sizeof(int32_t) << SLOT_BITS);
    return r->table ? 0 : -2;
}

/* Symbol i is known: compare it with what was predicted, and look for what comes next. */
static void repeats_add(Repeats *r, const uint16_t *sym, Py_ssize_t i) {
    if (r->from >= 0) {
        if (sym[r->from] == sym[i]) {
            r->length++;
            r->misses = 0;
        } else {
            r->length = 0;
            r->misses++;
        }
        r->from = r->misses < MOST_MISSES ? r->from + 1 : -1;
    }
    r->hash = r->hash * BASE + sym[i] + 1;
    if (i >= r->size)
        r->hash -= (sym[i - r->size] + 1) * r->drop;
    if (i + 1 >= r->size) {
        int32_t *slot = r->table + (r->hash * BASE >> (64 - SLOT_BITS));
        if (*slot >= 0 && (r->from < 0 || r->length == 0)) {
            r->from = *slot;
            r->length = r->misses = 0;
        }
        *slot = (int32_t)(i + 1);
    }
}

/* The repeat's part of the context: 0 for none, else 1 + class, and `classes` more for long ones */
static uint32_t repeats_mark(const Repeats *r, const uint16_t *sym, const uint8_t *match,
                             uint32_t classes) {
    if (r->from < 0)
        return 0;
    return 1 + match[sym[r->from]] + (r->length >= LONG_MATCH ? classes : 0);
}

/* repeats(symbols u16, size, classes u8, number of classes, out u32): the marks of all symbols */
static PyObject *repeats(PyObject *self, PyObject *args) {
    Py_buffer symbols, match, out;
    Py_ssize_t size, classes;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*ny*nw*", &symbols, &size, &match, &classes, &out))
        return NULL;
    Py_ssize_t n = symbols.len / 2;
    const uint16_t *sym = symbols.buf;
    uint32_t *to = out.buf;
    int status = out.len == 4 * n && size >= 1 && size <= 64 && n < INT32_MAX ? 0 : -1;
    for (Py_ssize_t i = 0; i < n && !status; i++)
        if (sym[i] >= match.len)
            status = -1;
    Repeats r = {0};
    if (!status)
        status = repeats_make(&r, size);
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < n; i++) {
            to[i] = repeats_mark(&r, sym, match.buf, (uint32_t)classes);
            repeats_add(&r, sym, i);
        }
        Py_END_ALLOW_THREADS
    }
    free(r.table);
    PyBuffer_Release(&symbols);
    PyBuffer_Release(&match);
    PyBuffer_Release(&out);
    if (status == -2)
        return PyErr_NoMemory();
    if (status)
        return bad("repeats: arguments out of range");
    Py_RETURN_NONE;
}

/* forward(symbols u16, base u32, own u8, prime u32, params i32, lanes, out u32)
 * out: frequency << 16 | cumulative frequency of every symbol, under the tables in force */
static PyObject *forward(PyObject *self, PyObject *args) {
    Py_buffer symbols, base, own, prime, params, out;
    Py_ssize_t lanes;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*nw*", &symbols, &base, &own, &prime, &params, &lanes,
                          &out))
        return NULL;
    Tables t;
    Py_ssize_t n = symbols.len / 2;
    const uint16_t *sym = symbols.buf;
    const uint32_t *ctx0 = base.buf;
    uint32_t *to = out.buf;
    int status = tables_make(&t, params.buf, params.len / 4, &own, &prime, 0);
    if (!status && (lanes < 1 || out.len != n * 4 || (base.len && base.len != n * 4)))
        status = -1;
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t chunk = (n + lanes - 1) / lanes, begin = 0;
        uint64_t limit = 32;
        Py_ssize_t a = t.alphabet;
        while (begin < chunk && !status) {
            t.epoch++;
            Py_ssize_t end = epoch_end(&limit, begin, lanes);
            if (end > chunk)
                end = chunk;
            int few = tables_few(&t, (end - begin) * lanes);
            for (int pass = 0; pass < 2 && !status; pass++)
                for (Py_ssize_t l = 0; l < lanes && !status; l++)
                    for (Py_ssize_t i = l * chunk + begin; i < l * chunk + end && i < n; i++) {
                        uint64_t c = base.len ? ctx0[i] : 0;
                        if (t.own)
                            c += (uint64_t)t.own[i > l * chunk ? sym[i - 1] : 0] * (uint64_t)t.rest;
                        if (c >= (uint64_t)t.contexts || sym[i] >= a) {
                            status = -1;
                            break;
                        }
                        if (pass)
                            tables_count(&t, (Py_ssize_t)c, sym[i], few);
                        else
                            to[i] = (uint32_t)tables_at(&t, (Py_ssize_t)c)[sym[i]] << 16 |
                                    t.cumulative[(Py_ssize_t)c * a + sym[i]];
                    }
            if (!few)
                tables_sum(&t);
            begin = end;
        }
        Py_END_ALLOW_THREADS
    }
    tables_free(&t);
    PyBuffer_Release(&symbols);
    PyBuffer_Release(&base);
    PyBuffer_Release(&own);
    PyBuffer_Release(&prime);
    PyBuffer_Release(&params);
    PyBuffer_Release(&out);
    if (status == -2)
        return PyErr_NoMemory();
    if (status)
        return bad("forward: arguments out of range");
    Py_RETURN_NONE;
}

/* push(pairs u32, lanes, out u8) -> bytes written: states u32, then words u16 */
static PyObject *push(PyObject *self, PyObject *args) {
    Py_buffer pairs, out;
    Py_ssize_t lanes, size = -1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nw*", &pairs, &lanes, &out))
        return NULL;
    Py_ssize_t n = pairs.len / 4;
    if (lanes >= 1 && lanes <= 65536 && out.len >= 4 * lanes + 2 * n) {
        Py_BEGIN_ALLOW_THREADS
        const uint32_t *pair = pairs.buf;
        uint32_t *state = malloc((size_t)lanes * 4);
        uint16_t *words = malloc((size_t)n * 2 + 2);
        if (state && words) {
            Py_ssize_t chunk = (n + lanes - 1) / lanes, at = n;
            for (Py_ssize_t l = 0; l < lanes; l++)
                state[l] = LOW;
            for (Py_ssize_t step = chunk - 1; step >= 0; step--)
                for (Py_ssize_t l = lanes - 1; l >= 0; l--) {
                    Py_ssize_t i = l * chunk + step;
                    if (i >= n || i >= (l + 1) * chunk)
                        continue;
                    uint32_t f = pair[i] >> 16, c = pair[i] & 0xFFFF, x = state[l];
                    if (!f) {
                        at = -1;
                        goto done;
                    }
                    if ((uint64_t)x >= (uint64_t)f << 18) {
                        words[--at] = (uint16_t)x;
                        x >>= 16;
                    }
                    state[l] = ((x / f) << PRECISION) + x % f + c;
                }
            memcpy(out.buf, state, (size_t)lanes * 4);
            memcpy((char *)out.buf + lanes * 4, words + at, (size_t)(n - at) * 2);
            size = lanes * 4 + (n - at) * 2;
        }
    done:
        free(state);
        free(words);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&pairs);
    PyBuffer_Release(&out);
    if (size < 0)
        return bad("push: arguments out of range");
    return PyLong_FromSsize_t(size);
}

/* decode(data, base u32, own u8, prime u32, params i32, lanes, match u8, size, classes, stride,
 * state u32, out u16) -> bytes used, or -1 where the data end too early; match: classes for
 * repeats (one lane only); state: of the lanes, before and after */
static PyObject *decode(PyObject *self, PyObject *args) {
    Py_buffer data, base, own, prime, params, match, states, out;
    Py_ssize_t lanes, size, classes, stride, used = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*ny*nnnw*w*", &data, &base, &own, &prime, &params,
                          &lanes, &match, &size, &classes, &stride, &states, &out))
        return NULL;
    Repeats r = {0};
    Tables t;
    Py_ssize_t n = out.len / 2;
    uint16_t *sym = out.buf;
    const uint32_t *ctx0 = base.buf;
    int status = tables_make(&t, params.buf, params.len / 4, &own, &prime, 1), right = 1;
    if (!status &&
        (lanes < 1 || lanes > 65536 || (base.len && base.len != n * 4) || states.len != 4 * lanes))
        status = -1;
    if (!status && match.len) {
        if (match.len != t.alphabet || lanes != 1 || size < 1 || size > 64 || classes < 1 ||
            classes > 256 || stride < 1 || stride > t.contexts || n >= INT32_MAX)
            status = -1;
        t.match = match.buf;
        t.stride = stride;
        if (!status)
            status = repeats_make(&r, size);
    }
    uint32_t *state = states.buf;
    /* the contexts of the symbols of an epoch, which are counted at its end */
    uint32_t *came = NULL;
    if (!status) {
        came = malloc((size_t)n * 4 + 1);
        if (!came)
            status = -2;
    }
    if (!status) {
        Py_BEGIN_ALLOW_THREADS
        const uint8_t *words = data.buf;
        const uint8_t *stop = (const uint8_t *)data.buf + data.len;
        Py_ssize_t chunk = (n + lanes - 1) / lanes, begin = 0, a = t.alphabet;
        uint64_t limit = 32;
        while (begin < chunk && !status && right) {
            t.epoch++;
            Py_ssize_t end = epoch_end(&limit, begin, lanes);
            if (end > chunk)
                end = chunk;
            for (Py_ssize_t step = begin; step < end && !status && right; step++)
                for (Py_ssize_t l = 0; l < lanes; l++) {
                    Py_ssize_t i = l * chunk + step;
                    if (i >= n)
                        break;
                    uint64_t c = base.len ? ctx0[i] : 0;
                    if (t.own)
                        c += (uint64_t)t.own[step ? sym[i - 1] : 0] * (uint64_t)t.rest;
                    if (t.match)
                        c += repeats_mark(&r, sym, t.match, (uint32_t)classes) *
                             (uint64_t)t.stride;
                    if (c >= (uint64_t)t.contexts) {
                        status = -1;
                        break;
                    }
                    const uint16_t *row = tables_at(&t, (Py_ssize_t)c);
                    const uint16_t *cumulative = t.cumulative + (Py_ssize_t)c * a;
                    uint32_t x = state[l], slot = x & (TOTAL - 1);
                    Py_ssize_t s = t.hint[c * HINTS + slot / (TOTAL / HINTS)];
                    while (s + 1 < a && cumulative[s + 1] <= slot)
                        s++;
                    x = row[s] * (x >> PRECISION) + slot - cumulative[s];
                    if (x < LOW) {
                        if (stop - words < 2) {
                            right = 0;
                            break;
                        }
                        x = x << 16 | words[0] | (uint32_t)words[1] << 8;
                        words += 2;
                    }
                    state[l] = x;
                    sym[i] = (uint16_t)s;
                    if (t.match)
                        repeats_add(&r, sym, i);
                    came[i] = (uint32_t)c;
                }
            int few = tables_few(&t, (end - begin) * lanes);
            for (Py_ssize_t l = 0; l < lanes && !status && right; l++)
                for (Py_ssize_t i = l * chunk + begin; i < l * chunk + end && i < n; i++)
                    tables_count(&t, (Py_ssize_t)came[i], sym[i], few);
            if (!few)
                tables_sum(&t);
            begin = end;
        }
        used = words - (const uint8_t *)data.buf;
        Py_END_ALLOW_THREADS
    }
    free(r.table);
    free(came);
    tables_free(&t);
    PyBuffer_Release(&data);
    PyBuffer_Release(&base);
    PyBuffer_Release(&own);
    PyBuffer_Release(&prime);
    PyBuffer_Release(&params);
    PyBuffer_Release(&match);
    PyBuffer_Release(&states);
    PyBuffer_Release(&out);
    if (status == -2)
        return PyErr_NoMemory();
    if (status)
        return bad("decode: arguments out of range");
    return PyLong_FromSsize_t(right ? used : -1);
}

/* ---- records and fields of text: csv/fields.py ------------------------------------------ */

enum { BARE, QUOTED, ODD };         /* how a field is written */
enum { OTHER, BY_LF, BY_CRLF, BY_CR }; /* how a record ends */

typedef struct {
    uint8_t ends[256]; /* whether a byte ends a bare field */
    int space;         /* blanks at the start of a field are none of it */
} Rule;

static int rule_make(Rule *rule, int delimiter, int space) {
    memset(rule, 0, sizeof *rule);
    if (delimiter < 0 || delimiter > 127 || delimiter == '"' || delimiter == '\n' ||
        delimiter == '\r')
        return -1;
    rule->ends[delimiter] = rule->ends['\n'] = rule->ends['\r'] = 1;
    rule->space = space;
    return 0;
}

static int is_line_end(uint8_t b) { return b == '\n' || b == '\r'; }

/* Where the field that begins at i ends: at a delimiter, a line end, or n. */
static Py_ssize_t field_end(const Rule *rule, const uint8_t *p, Py_ssize_t i, Py_ssize_t n,
                            uint8_t *kind) {
    *kind = BARE;
    if (rule->space)
        while (i < n && p[i] == ' ')
            i++;
    if (i < n && p[i] == '"') {
        *kind = QUOTED;
        for (i++;; i++) {
            const uint8_t *close = memchr(p + i, '"', (size_t)(n - i));
            if (!close) { /* left open: all that follows is of the field */
                *kind = ODD;
                return n;
            }
            i = close - p + 1;
            if (i == n || p[i] != '"')
                break;
            *kind = ODD; /* a doubled quote stands for one */
        }
        if (i < n && !rule->ends[p[i]])
            *kind = ODD; /* what follows the closing quote is of the field, too */
    }
    while (i < n && !rule->ends[p[i]])
        i++;
    return i;
}

/* Where the next record begins, or n: behind line ends, which are of blank lines but the first. */
static Py_ssize_t record_begin(const uint8_t *p, Py_ssize_t i, Py_ssize_t n) {
    while (i < n && is_line_end(p[i]))
        i++;
    return i;
}

static int line_end(const uint8_t *tail, Py_ssize_t size) {
    if (size == 1)
        return tail[0] == '\n' ? BY_LF : BY_CR;
    return size == 2 && tail[0] == '\r' && tail[1] == '\n' ? BY_CRLF : OTHER;
}

/* fields(text, delimiter, space, start i32, stop i32, kind u8, begin i32, width i32)
 * -> (fields, records, fields of every record or 0, how all records but the last end)
 * start, stop, kind: by field; begin, width: by record; None where they are too short. */
static PyObject *fields(PyObject *self, PyObject *args) {
    Py_buffer text, starts, stops, kinds, begins_, widths;
    int delimiter, space;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iiw*w*w*w*w*", &text, &delimiter, &space, &starts, &stops,
                          &kinds, &begins_, &widths))
        return NULL;
    const uint8_t *p = text.buf;
    Py_ssize_t n = text.len, most = kinds.len, most_records = widths.len / 4;
    Py_ssize_t count = 0, records = 0, columns = -1;
    int32_t *start = starts.buf, *stop = stops.buf, *begin = begins_.buf, *width = widths.buf;
    uint8_t *kind = kinds.buf;
    int ends = -1, last = OTHER, room = 1;
    Rule rule;
    int ok = !rule_make(&rule, delimiter, space) && n < INT32_MAX && starts.len == 4 * most &&
             stops.len == 4 * most && begins_.len == widths.len;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t i = record_begin(p, 0, n);
        while (i < n && room) {
            Py_ssize_t first = count;
            if (records == most_records) {
                room = 0;
                break;
            }
            begin[records] = (int32_t)i;
            for (;; i++) {
                if (count == most) {
                    room = 0;
                    break;
                }
                start[count] = (int32_t)i;
                i = field_end(&rule, p, i, n, &kind[count]);
                stop[count++] = (int32_t)i;
                if (i == n || is_line_end(p[i]))
                    break;
            }
            Py_ssize_t fields_here = count - first, tail = i;
            width[records++] = (int32_t)fields_here;
            columns = columns < 0 || columns == fields_here ? fields_here : 0;
            i = record_begin(p, i, n);
            if (records > 1) /* `last` is of the record before this */
                ends = ends < 0 || ends == last ? last : OTHER;
            last = line_end(p + tail, i - tail);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&stops);
    PyBuffer_Release(&kinds);
    PyBuffer_Release(&begins_);
    PyBuffer_Release(&widths);
    if (!ok)
        return bad("fields: arguments out of range");
    if (!room)
        Py_RETURN_NONE;
    return Py_BuildValue("nnni", count, records, columns < 0 ? 0 : columns, ends < 0 ? last : ends);
}

/* begins(text, delimiter, space, begin i32) -> (records, where the last begins or -1)
 * begin: of the first records, as many as there is room for. */
static PyObject *begins(PyObject *self, PyObject *args) {
    Py_buffer text, out;
    int delimiter, space;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iiw*", &text, &delimiter, &space, &out))
        return NULL;
    const uint8_t *p = text.buf;
    Py_ssize_t n = text.len, most = out.len / 4, records = 0, last = -1;
    int32_t *begin = out.buf;
    uint8_t kind;
    Rule rule;
    int ok = !rule_make(&rule, delimiter, space) && n < INT32_MAX;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        Py_ssize_t i = record_begin(p, 0, n);
        while (i < n) {
            last = i;
            if (records < most)
                begin[records] = (int32_t)i;
            records++;
            for (;; i++) {
                i = field_end(&rule, p, i, n, &kind);
                if (i == n || is_line_end(p[i]))
                    break;
            }
            i = record_begin(p, i, n);
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&out);
    if (!ok)
        return bad("begins: arguments out of range");
    return Py_BuildValue("nn", records, last);
}

/* ---- cells: codec/spans.py --------------------------------------------------------------- */

/* numbers(text, start i32, stop i32, step, prefix, suffix, value i64, form i8)
 * form: digits after the point (0..18), or -1 where the cell is not such a number; a number whose
 * last decimal is 0 has form | 32. Leading zeros, "-0", exponents, over 18 digits: -1. */
static PyObject *numbers(PyObject *self, PyObject *args) {
    Py_buffer text, starts, stops, values, forms;
    Py_ssize_t step, prefix, suffix;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*nnnw*w*", &text, &starts, &stops, &step, &prefix, &suffix,
                          &values, &forms))
        return NULL;
    const uint8_t *p = text.buf;
    const int32_t *start = starts.buf, *stop = stops.buf;
    int64_t *value = values.buf;
    int8_t *form = forms.buf;
    Py_ssize_t n = forms.len;
    int ok = step > 0 && prefix >= 0 && suffix >= 0 && values.len == 8 * n &&
             starts.len == stops.len && (n == 0 || starts.len / 4 > (n - 1) * step);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < n && ok; i++) {
            Py_ssize_t from = start[i * step], to = stop[i * step];
            if (from < 0 || to > text.len || from > to) {
                ok = 0;
                break;
            }
            from += prefix;
            to -= suffix;
            form[i] = -1;
            value[i] = 0;
            int negative = from < to && p[from] == '-', digits = 0, point = -1, good = 1;
            from += negative;
            Py_ssize_t first = from;
            uint64_t v = 0;
            for (Py_ssize_t j = from; j < to; j++) {
                uint8_t d = (uint8_t)(p[j] - '0');
                if (d < 10 && digits < 18) {
                    v = v * 10 + d;
                    digits++;
                } else if (p[j] == '.' && point < 0 && j > first && j + 1 < to) {
                    point = digits;
                } else {
                    good = 0;
                    break;
                }
            }
            if (!good || !digits || (negative && !v))
                continue;
            if (p[first] == '0' && (point < 0 ? digits : point) > 1)
                continue;
            int after = point < 0 ? 0 : digits - point;
            form[i] = (int8_t)(after | (after && p[to - 1] == '0' ? 32 : 0));
            value[i] = negative ? -(int64_t)v : (int64_t)v;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&stops);
    PyBuffer_Release(&values);
    PyBuffer_Release(&forms);
    if (!ok)
        return bad("numbers: arguments out of range");
    Py_RETURN_NONE;
}

/* levels(text, start i32, stop i32, step, most, first i32, index i32) -> number of different cells,
 * or -1 if over `most`. first: the first cell of each level, in order of appearance. */
static PyObject *levels(PyObject *self, PyObject *args) {
    Py_buffer text, starts, stops, firsts, indexes;
    Py_ssize_t step, most, found = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*nnw*w*", &text, &starts, &stops, &step, &most, &firsts,
                          &indexes))
        return NULL;
    const uint8_t *p = text.buf;
    const int32_t *start = starts.buf, *stop = stops.buf;
    int32_t *first = firsts.buf, *index = indexes.buf;
    Py_ssize_t n = indexes.len / 4;
    int ok = step > 0 && most >= 0 && firsts.len >= 4 * most && starts.len == stops.len &&
             (n == 0 || starts.len / 4 > (n - 1) * step) && most < 1 << 24;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        size_t slots = 64;
        while (slots < (size_t)most * 3)
            slots *= 2;
        int32_t *table = malloc(slots * 4);
        if (!table)
            ok = 0;
        else
            memset(table, 0xFF, slots * 4);
        for (Py_ssize_t i = 0; i < n && ok; i++) {
            Py_ssize_t from = start[i * step], to = stop[i * step];
            if (from < 0 || to > text.len || from > to) {
                ok = 0;
                break;
            }
            size_t size = (size_t)(to - from);
            uint64_t h = 1469598103934665603u;
            for (Py_ssize_t j = from; j < to; j++)
                h = (h ^ p[j]) * 1099511628211u;
            size_t at = (h ^ h >> 29) & (slots - 1);
            while (table[at] >= 0) {
                Py_ssize_t k = first[table[at]] * step;
                if ((size_t)(stop[k] - start[k]) == size && !memcmp(p + start[k], p + from, size))
                    break;
                at = (at + 1) & (slots - 1);
            }
            if (table[at] < 0) {
                if (found == most) {
                    found = -1;
                    break;
                }
                table[at] = (int32_t)found;
                first[found++] = (int32_t)i;
            }
            index[i] = table[at];
        }
        free(table);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&stops);
    PyBuffer_Release(&firsts);
    PyBuffer_Release(&indexes);
    if (!ok)
        return bad("levels: arguments out of range");
    return PyLong_FromSsize_t(found);
}

/* write(value i64, form i8, decimals, out u8, length i32) -> bytes written
 * Numbers of value / 10^decimals as text, one behind the other. form: digits to write after the
 * point; 64: as few as say it; 65: as few as say it, but one. */
static PyObject *write_numbers(PyObject *self, PyObject *args) {
    Py_buffer values, forms, out, lengths;
    int decimals;
    Py_ssize_t size = -1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*iw*w*", &values, &forms, &decimals, &out, &lengths))
        return NULL;
    const int64_t *value = values.buf;
    const int8_t *form = forms.buf;
    int32_t *length = lengths.buf;
    Py_ssize_t n = forms.len;
    if (values.len == 8 * n && lengths.len == 4 * n && out.len >= 48 * n && decimals >= 0 &&
        decimals <= 18) {
        Py_BEGIN_ALLOW_THREADS
        char *to = out.buf;
        for (Py_ssize_t i = 0; i < n; i++) {
            char digits[24], *begin = to;
            int64_t v = value[i];
            uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
            int count = 0, places = decimals, keep = form[i] & 63, want = form[i];
            while (places && (want == 64 || want == 65 ? places > want - 64 : places > keep) &&
                   u % 10 == 0) {
                u /= 10;
                places--;
            }
            while (u || count <= places) {
                digits[count++] = (char)('0' + u % 10);
                u /= 10;
            }
            if (v < 0)
                *to++ = '-';
            while (count) {
                if (count == places)
                    *to++ = '.';
                *to++ = digits[--count];
            }
            length[i] = (int32_t)(to - begin);
        }
        size = to - (char *)out.buf;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&forms);
    PyBuffer_Release(&out);
    PyBuffer_Release(&lengths);
    if (size < 0)
        return bad("write: arguments out of range");
    return PyLong_FromSsize_t(size);
}

/* Copy a cell of `size` bytes, which fit: short ones as 16 bytes, which takes one instruction or two,
 * where both sides have as many (`room`, `left`). The next cell is written over what is too much. */
static inline void copy_cell(char *to, const char *source, int64_t size, int64_t room, int64_t left) {
    if (size > 16)
        memcpy(to, source, (size_t)size);
    else if (room >= 16 && left >= 16)
        memcpy(to, source, 16);
    else
        for (int64_t k = 0; k < size; k++)
            to[k] = source[k];
}

/* weave(pool u8, start i64, length i32, out u8) -> bytes written: the spans one after another */
static PyObject *weave(PyObject *self, PyObject *args) {
    Py_buffer pool, starts, lengths, out;
    Py_ssize_t at = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*w*", &pool, &starts, &lengths, &out))
        return NULL;
    const int64_t *start = starts.buf;
    const int32_t *length = lengths.buf;
    Py_ssize_t n = lengths.len / 4;
    if (starts.len != 8 * n)
        at = -1;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n && at >= 0; i++) {
        int64_t from = start[i], size = length[i];
        if (from < 0 || size < 0 || from + size > pool.len || at + size > out.len) {
            at = -1;
            break;
        }
        const char *source = (const char *)pool.buf + from;
        char *to = (char *)out.buf + at;
        copy_cell(to, source, size, out.len - at, pool.len - from);
        at += size;
    }
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&pool);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&lengths);
    PyBuffer_Release(&out);
    if (at < 0)
        return bad("weave: arguments out of range");
    return PyLong_FromSsize_t(at);
}

/* One column of cells: spans of a pool of its own. */
typedef struct {
    Py_buffer pool, starts, lengths;
    const int64_t *start;
    const int32_t *length;
} Cells;

static void cells_free(Cells *columns, Py_ssize_t count) {
    for (Py_ssize_t j = 0; j < count; j++) {
        PyBuffer_Release(&columns[j].pool);
        PyBuffer_Release(&columns[j].starts);
        PyBuffer_Release(&columns[j].lengths);
    }
    free(columns);
}

/* The columns of a list of (pool u8, start i64, length i32), with rows up to last at least; NULL
 * with an error set if it is not one. */
static Cells *cells_of(PyObject *list, Py_ssize_t last) {
    Py_ssize_t count = PyList_Size(list);
    if (count < 0)
        return NULL;
    Cells *columns = calloc(count ? (size_t)count : 1, sizeof *columns);
    if (!columns) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t j = 0; j < count; j++) {
        Cells *c = &columns[j];
        PyObject *parts = PyList_GetItem(list, j);
        if (parts && !PyTuple_Check(parts))
            PyErr_SetString(PyExc_TypeError, "records: a column is a tuple");
        if (!parts || !PyTuple_Check(parts) ||
            !PyArg_ParseTuple(parts, "y*y*y*", &c->pool, &c->starts, &c->lengths)) {
            cells_free(columns, j);
            return NULL;
        }
        c->start = c->starts.buf;
        c->length = c->lengths.buf;
        if (c->starts.len / 8 < last || c->lengths.len / 4 < last) {
            cells_free(columns, j + 1);
            PyErr_SetString(PyExc_ValueError, "records: a column is too short");
            return NULL;
        }
    }
    return columns;
}

/* records(columns, first, last, delimiter u8, out u8) -> bytes written: rows first:last, their
 * cells with delimiters between them; the last column is what follows each record */
static PyObject *records(PyObject *self, PyObject *args) {
    PyObject *list;
    Py_ssize_t first, last;
    Py_buffer delimiter, out;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!nny*w*", &PyList_Type, &list, &first, &last, &delimiter, &out))
        return NULL;
    Py_ssize_t count = PyList_Size(list), at = first < 0 ? -1 : 0;
    Cells *columns = cells_of(list, last);
    if (!columns) {
        PyBuffer_Release(&delimiter);
        PyBuffer_Release(&out);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t row = first; row < last && at >= 0; row++)
        for (Py_ssize_t j = 0; j < count; j++) {
            const Cells *c = &columns[j];
            Py_ssize_t between = j + 2 < count ? delimiter.len : 0;
            int64_t from = c->start[row], size = c->length[row];
            if (from < 0 || size < 0 || from > c->pool.len - size ||
                size + between > out.len - at) {
                at = -1;
                break;
            }
            const char *source = (const char *)c->pool.buf + from;
            char *to = (char *)out.buf + at;
            copy_cell(to, source, size, out.len - at, c->pool.len - from);
            for (Py_ssize_t k = 0; k < between; k++)
                to[size + k] = ((const char *)delimiter.buf)[k];
            at += size + between;
        }
    Py_END_ALLOW_THREADS
    cells_free(columns, count);
    PyBuffer_Release(&delimiter);
    PyBuffer_Release(&out);
    if (at < 0)
        return bad("records: arguments out of range");
    return PyLong_FromSsize_t(at);
}

/* same(text u8, start i32, stop i32, other u8, start i32, stop i32) -> whether as many spans of two
 * texts have the same bytes */
static PyObject *same(PyObject *self, PyObject *args) {
    Py_buffer text[2], starts[2], stops[2];
    int ok, alike = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*y*", &text[0], &starts[0], &stops[0], &text[1],
                          &starts[1], &stops[1]))
        return NULL;
    Py_ssize_t count = starts[0].len / 4;
    ok = stops[0].len / 4 == count && starts[1].len / 4 == count && stops[1].len / 4 == count;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < count && ok && alike; i++) {
        int64_t from[2], size[2];
        for (int k = 0; k < 2; k++) {
            from[k] = ((const int32_t *)starts[k].buf)[i];
            size[k] = (int64_t)((const int32_t *)stops[k].buf)[i] - from[k];
            ok &= from[k] >= 0 && size[k] >= 0 && from[k] + size[k] <= text[k].len;
        }
        if (ok)
            alike = size[0] == size[1] &&
                    !memcmp((const char *)text[0].buf + from[0],
                            (const char *)text[1].buf + from[1], (size_t)size[0]);
    }
    Py_END_ALLOW_THREADS
    for (int k = 0; k < 2; k++) {
        PyBuffer_Release(&text[k]);
        PyBuffer_Release(&starts[k]);
        PyBuffer_Release(&stops[k]);
    }
    if (!ok)
        return bad("same: arguments out of range");
    return PyBool_FromLong(alike);
}

/* search(value i64, edge i64 ascending, out u32): how many edges are at or below each value */
static PyObject *search(PyObject *self, PyObject *args) {
    Py_buffer values, edges, out;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*", &values, &edges, &out))
        return NULL;
    Py_ssize_t n = values.len / 8, count = edges.len / 8;
    const int64_t *value = values.buf, *edge = edges.buf;
    uint32_t *to = out.buf;
    int ok = out.len == 4 * n;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < n; i++) {
            Py_ssize_t low = 0, left = count;
            while (left) {
                Py_ssize_t half = left >> 1, middle = low + half;
                int right = edge[middle] <= value[i];
                low = right ? middle + 1 : low;
                left = right ? left - half - 1 : half;
            }
            to[i] = (uint32_t)low;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&edges);
    PyBuffer_Release(&out);
    if (!ok)
        return bad("search: arguments out of range");
    Py_RETURN_NONE;
}

/* ---- raw bits: bits.py ---------------------------------------------------------------- */

/* pack(value u64, width u8, out u8) -> bytes written; least significant bit first */
static PyObject *pack(PyObject *self, PyObject *args) {
    Py_buffer values, widths, out;
    Py_ssize_t size = -1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*", &values, &widths, &out))
        return NULL;
    const uint64_t *value = values.buf;
    const uint8_t *width = widths.buf;
    uint8_t *to = out.buf;
    Py_ssize_t n = widths.len;
    if (values.len == 8 * n && out.len >= 8 * n + 8) {
        Py_BEGIN_ALLOW_THREADS
        uint64_t held = 0;
        unsigned have = 0;
        uint8_t *begin = to;
        for (Py_ssize_t i = 0; i < n; i++) {
            unsigned left = width[i] > 64 ? 64 : width[i];
            uint64_t v = value[i];
            while (left) {
                unsigned take = left < 32 ? left : 32;
                held |= (v & ((1ull << take) - 1)) << have;
                have += take;
                v >>= take;
                left -= take;
                while (have >= 8) {
                    *to++ = (uint8_t)held;
                    held >>= 8;
                    have -= 8;
                }
            }
        }
        if (have)
            *to++ = (uint8_t)held;
        size = to - begin;
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&widths);
    PyBuffer_Release(&out);
    if (size < 0)
        return bad("pack: arguments out of range");
    return PyLong_FromSsize_t(size);
}

/* unpack(data, width u8, value u64): the widths must add up to the data */
static PyObject *unpack(PyObject *self, PyObject *args) {
    Py_buffer data, widths, values;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*", &data, &widths, &values))
        return NULL;
    const uint8_t *from = data.buf, *width = widths.buf;
    uint64_t *value = values.buf;
    Py_ssize_t n = widths.len;
    uint64_t bits = 0;
    int ok = values.len == 8 * n;
    for (Py_ssize_t i = 0; i < n; i++) {
        bits += width[i];
        ok &= width[i] <= 64;
    }
    ok = ok && (bits + 7) / 8 == (uint64_t)data.len;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        uint64_t held = 0;
        unsigned have = 0;
        for (Py_ssize_t i = 0; i < n; i++) {
            unsigned left = width[i], at = 0;
            uint64_t v = 0;
            while (left) {
                unsigned take = left < 32 ? left : 32;
                while (have < take) {
                    held |= (uint64_t)*from++ << have;
                    have += 8;
                }
                v |= (held & ((1ull << take) - 1)) << at;
                held >>= take;
                have -= take;
                at += take;
                left -= take;
            }
            value[i] = v;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&widths);
    PyBuffer_Release(&values);
    if (!ok)
        return bad("unpack: arguments out of range");
    Py_RETURN_NONE;
}

/* ---- numbers of tables: data/notation/scanning.py ------------------------------------------ */

#define SCAN_LONGEST 64  /* bytes; longer cells are left */
#define MOST_SIGNIFICANT 19 /* digits that fit 64 bits */
#define LARGEST_POWER 64 /* of ten, in the table of powers; both signs */
#define MARKED 1
#define EITHER 2
#define PADDED 4
#define ATTACHED 8
#define GROUPED 16
#define SEVERAL 32
#define EMPTY 254
#define LEFT 255

typedef struct {
    uint8_t mark;
    const uint8_t *group, *before, *after;
    Py_ssize_t group_size, before_size, after_size;
    const uint64_t *powers; /* for each power of ten the high and the low half of its 128 bits */
} Style;

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The product of two words, as two words. */
static inline void multiply(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low) {
#ifdef __SIZEOF_INT128__
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    *low = (uint64_t)product;
#else
    uint64_t al = a & 0xFFFFFFFF, ah = a >> 32, bl = b & 0xFFFFFFFF, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t middle = (ll >> 32) + (lh & 0xFFFFFFFF) + (hl & 0xFFFFFFFF);
    *low = (middle << 32) | (ll & 0xFFFFFFFF);
    *high = hh + (lh >> 32) + (hl >> 32) + (middle >> 32);
#endif
}

/* Bits before the first that is set, of a word that is not zero. */
static inline int leading_zeros(uint64_t word) {
#ifdef __GNUC__
    return __builtin_clzll(word);
#else
    int count = 0;
    for (; !(word >> 63); word <<= 1)
        count++;
    return count;
#endif
}

/* Reads digits on, eight at once where memory holds the first byte of a word lowest. */
static inline const uint8_t *read_digits(const uint8_t *p, const uint8_t *end, uint64_t *digits) {
    uint64_t number = *digits;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        if (((eight + 0x4646464646464646) | (eight - 0x3030303030303030)) & 0x8080808080808080)
            break;
        /* pairs, then fours, then all eight are put together side by side */
        eight -= 0x3030303030303030;
        eight = eight * 10 + (eight >> 8);
        eight = ((eight & 0x000000FF000000FF) * 0x000F424000000064 +
                 (eight >> 16 & 0x000000FF000000FF) * 0x0000271000000001) >> 32;
        number = number * 100000000 + eight;
        p += 8;
    }
#endif
    for (uint8_t d; p < end && (d = (uint8_t)(*p - '0')) < 10; p++)
        number = number * 10 + d;
    *digits = number;
    return p;
}

/* digits * 10^power, correctly rounded; 0 where this cannot tell, and Python does.
 * Two exact doubles give one rounding (Clinger 1990); else the product with the leading 128 bits
 * of the power tells the double but near halves (Lemire 2021, arXiv:2101.11408). */
static inline int double_of(uint64_t digits, int power, const uint64_t *powers, double *value) {
    if (!digits) {
        *value = 0;
        return 1;
    }
#if FLT_EVAL_METHOD == 0
    if (digits <= (uint64_t)1 << 53 && power >= -22 && power <= 22) {
        *value = power < 0 ? (double)digits / exact_powers[-power]
                           : (double)digits * exact_powers[power];
        return 1;
    }
#endif
    if (power < -LARGEST_POWER || power > LARGEST_POWER)
        return 0;
    int shift = leading_zeros(digits);
    uint64_t w = digits << shift, high, low;
    const uint64_t *ten = powers + 2 * (power + LARGEST_POWER);
    multiply(w, ten[0], &high, &low);
    if ((high & 0x1FF) == 0x1FF) { /* the low half of the power may carry into what is kept */
        uint64_t second_high, second_low;
        multiply(w, ten[1], &second_high, &second_low);
        low += second_high;
        high += low < second_high;
    }
    if (low == UINT64_MAX && (power < -27 || power > 55))
        return 0;
    int upper = (int)(high >> 63), drop = upper + 9;
    uint64_t mantissa = high >> drop;
    int exponent = ((152170 + 65536) * power >> 16) + 63 + upper - shift + 1023;
    if (exponent <= 0 || exponent >= 2046)
        return 0;
    /* exactly between two doubles: to the even one */
    if (low <= 1 && power >= -4 && power <= 23 && (mantissa & 3) == 1 && mantissa << drop == high)
        mantissa &= ~(uint64_t)1;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa = (uint64_t)1 << 52;
        exponent++;
    }
    uint64_t bits = (mantissa & (((uint64_t)1 << 52) - 1)) | (uint64_t)exponent << 52;
    memcpy(value, &bits, 8);
    return 1;
}

static int starts_with(const uint8_t *p, const uint8_t *end, const uint8_t *part, Py_ssize_t size) {
    return end - p >= size && !memcmp(p, part, (size_t)size);
}

static int is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

/* As scan_cell, for digits with a mark or none and perhaps a sign, and nothing else; LEFT for others.
 * Most cells are such, and go through here in one piece. */
static inline uint8_t scan_digits(const uint8_t *p, const uint8_t *end, const Style *style,
                                  double *value, int16_t *decimals) {
    int negative = p < end && *p == '-';
    p += negative;
    if (end - p > MOST_SIGNIFICANT + 1)
        return LEFT;
    const uint8_t *first = p;
    uint64_t digits = 0;
    p = read_digits(p, end, &digits);
    int whole = (int)(p - first), fraction = 0;
    uint8_t form = whole > 1 && *first == '0' ? PADDED : 0;
    if (p < end) {
        if (*p++ != style->mark || !whole)
            return LEFT;
        const uint8_t *start = p;
        p = read_digits(p, end, &digits);
        fraction = (int)(p - start);
        form |= MARKED | (fraction == 3 && whole <= 3 && *first != '0' ? EITHER : 0);
    }
    if (p < end || !whole || whole + fraction > MOST_SIGNIFICANT ||
        !double_of(digits, -fraction, style->powers, value))
        return LEFT;
    if (negative)
        *value = -*value;
    *decimals = (int16_t)fraction;
    return form;
}

/* The form of one cell; value and decimals where it is read. */
static uint8_t scan_cell(const uint8_t *p, const uint8_t *end, const Style *style, double *value,
                         int16_t *decimals) {
    if (end - p > SCAN_LONGEST)
        return LEFT;
    while (p < end && is_blank(*p))
        p++;
    while (p < end && is_blank(end[-1]))
        end--;
    if (p == end)
        return EMPTY;
    int enclosed = *p == '(';
    if (enclosed && (end[-1] != ')' || ++p == --end))
        return LEFT;
    int is_signed = p < end && (*p == '-' || *p == '+'), negative = enclosed || *p == '-';
    if (enclosed && is_signed)
        return LEFT;
    p += is_signed;
    uint8_t form = 0;
    if (style->before_size && starts_with(p, end, style->before, style->before_size)) {
        p += style->before_size;
        form = ATTACHED;
        if (p < end && !is_signed && !enclosed && (*p == '-' || *p == '+')) {
            negative = *p == '-';
            p++;
        }
    }
    uint64_t digits = 0;
    const uint8_t *first = p, *last_group = NULL;
    int whole = 0, fraction = 0, significant = 0, exponent = 0, has_exponent = 0;
    int groups = 0;
    for (;;) {
        while (p < end && (uint8_t)(*p - '0') < 10) {
            digits = digits * 10 + (uint8_t)(*p - '0');
            significant += significant || *p != '0';
            whole++;
            p++;
        }
        if (!style->group_size || !whole || !starts_with(p, end, style->group, style->group_size))
            break;
        /* a group of one to three digits, which is no zero, then groups of three */
        if (last_group ? p - last_group != 3 : whole > 3 || *first == '0')
            return LEFT;
        p += style->group_size;
        last_group = p;
        groups++;
    }
    if (last_group && p - last_group != 3)
        return LEFT;
    if (p < end && *p == style->mark) {
        form |= MARKED;
        p++;
        const uint8_t *start = p;
        while (p < end && (uint8_t)(*p - '0') < 10) {
            digits = digits * 10 + (uint8_t)(*p - '0');
            significant += significant || *p != '0';
            p++;
        }
        fraction = (int)(p - start);
    }
    if (!(whole + fraction) || significant > MOST_SIGNIFICANT)
        return LEFT;
    if (p < end && (*p | 32) == 'e') {
        const uint8_t *q = p + 1;
        int down = q < end && *q == '-';
        q += q < end && (*q == '-' || *q == '+');
        const uint8_t *start = q;
        while (q < end && q - start < 4 && (uint8_t)(*q - '0') < 10)
            exponent = exponent * 10 + (*q++ - '0');
        if (q < end && (uint8_t)(*q - '0') < 10)
            return LEFT;
        if (q > start) {
            has_exponent = 1;
            exponent = down ? -exponent : exponent;
            p = q;
        } else {
            exponent = 0;
        }
    }
    /* what stands before and after does so on both sides, or on none */
    if (p < end || form & ATTACHED) {
        if ((style->before_size && !(form & ATTACHED)) || end - p != style->after_size ||
            !starts_with(p, end, style->after, style->after_size))
            return LEFT;
        form |= ATTACHED;
    }
    if (!double_of(digits, exponent - fraction, style->powers, value))
        return LEFT;
    if (negative)
        *value = -*value;
    *decimals = (int16_t)(has_exponent ? -1 : fraction);
    if (whole > 1 && *first == '0')
        form |= PADDED;
    if (last_group)
        form |= groups > 1 ? GROUPED | SEVERAL : GROUPED;
    else if (form & MARKED && fraction == 3 && whole >= 1 && whole <= 3 && *first != '0')
        form |= EITHER;
    return form;
}

/* scan(text, start, stop, wide, mark, group, before, after, powers, value f64, decimals i16,
 * form u8)
 * start, stop: i64 if wide, else i32. powers: see scanning.powers_of_ten. */
static PyObject *scan(PyObject *self, PyObject *args) {
    Py_buffer text, starts, stops, group, before, after, powers, values, decimals, forms;
    int wide, mark;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*iiy*y*y*y*w*w*w*", &text, &starts, &stops, &wide, &mark,
                          &group, &before, &after, &powers, &values, &decimals, &forms))
        return NULL;
    Py_ssize_t n = forms.len, size = wide ? 8 : 4;
    double *value = values.buf;
    int16_t *places = decimals.buf;
    uint8_t *form = forms.buf;
    int ok = starts.len == size * n && stops.len == size * n && values.len == 8 * n &&
             decimals.len == 2 * n && powers.len == 16 * (2 * LARGEST_POWER + 1);
    Style style = {(uint8_t)mark,  group.buf,   before.buf, after.buf,
                   group.len,      before.len,  after.len,  powers.buf};
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const uint8_t *p = text.buf;
        for (Py_ssize_t i = 0; i < n; i++) {
            int64_t from = wide ? ((int64_t *)starts.buf)[i] : ((int32_t *)starts.buf)[i];
            int64_t to = wide ? ((int64_t *)stops.buf)[i] : ((int32_t *)stops.buf)[i];
            if (from < 0 || to > text.len || from > to) {
                ok = 0;
                break;
            }
            places[i] = 0;
            form[i] = scan_digits(p + from, p + to, &style, &value[i], &places[i]);
            if (form[i] == LEFT)
                form[i] = scan_cell(p + from, p + to, &style, &value[i], &places[i]);
            if (form[i] >= EMPTY)
                value[i] = NAN;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&stops);
    PyBuffer_Release(&group);
    PyBuffer_Release(&before);
    PyBuffer_Release(&after);
    PyBuffer_Release(&powers);
    PyBuffer_Release(&values);
    PyBuffer_Release(&decimals);
    PyBuffer_Release(&forms);
    if (!ok)
        return bad("scan: arguments out of range");
    Py_RETURN_NONE;
}

/* ---- moments of tables: data/notation/dates.py ----------------------------------------------- */

enum { NO_ORDER, DAY_FIRST, MONTH_FIRST, SHORT_YEAR_FIRST };
#define CENTURY_TURNS 69 /* moments.py */

static int digits_at(const uint8_t **p, const uint8_t *end, int most, int64_t *number) {
    int count = 0;
    *number = 0;
    while (*p < end && count < most && (uint8_t)(**p - '0') < 10) {
        *number = *number * 10 + (*(*p)++ - '0');
        count++;
    }
    return count;
}

/* Days since 1970-01-01 (Hinnant, days_from_civil); 0 where there is no such day. */
static int days_of(int64_t year, int64_t month, int64_t day, int64_t *days) {
    static const int8_t lasts[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return 0;
    int leap = month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0);
    if (day > lasts[month - 1] + leap)
        return 0;
    int64_t shifted = year - (month <= 2), era = shifted / 400, of_era = shifted - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    *days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
    return 1;
}

/* h:mm[:ss[.fraction]][zone] to the cell's end; 0 where it is something else. */
static int clock_of(const uint8_t *p, const uint8_t *end, int64_t *seconds, double *fraction) {
    int64_t hour, minute, second = 0, part;
    if (!digits_at(&p, end, 2, &hour) || p == end || *p++ != ':' ||
        digits_at(&p, end, 2, &minute) != 2 || hour > 23 || minute > 59)
        return 0;
    if (p < end && *p == ':') {
        p++;
        if (digits_at(&p, end, 2, &second) != 2 || second > 59)
            return 0;
        if (p < end && (*p == '.' || *p == ',')) {
            p++;
            int count = digits_at(&p, end, 9, &part);
            if (!count)
                return 0;
            *fraction = (double)part / exact_powers[count];
        }
    }
    *seconds = hour * 3600 + minute * 60 + second;
    if (p == end)
        return 1;
    if (*p == 'Z' || *p == 'z')
        return p + 1 == end;
    if (*p != '+' && *p != '-')
        return 0;
    int64_t sign = *p++ == '+' ? 1 : -1, hours, minutes = 0;
    if (digits_at(&p, end, 2, &hours) != 2)
        return 0;
    if (p < end) {
        p += *p == ':';
        if (digits_at(&p, end, 2, &minutes) != 2 || p < end)
            return 0;
    }
    *seconds -= sign * (hours * 3600 + minutes * 60);
    return FLT_EVAL_METHOD == 0;
}

/* Whether the cell is a moment; its seconds. orders: of cells with '-', '.' and '/'. */
static uint8_t moment_of(const uint8_t *p, const uint8_t *end, const uint8_t *orders,
                         double *value) {
    while (p < end && is_blank(*p))
        p++;
    while (p < end && is_blank(end[-1]))
        end--;
    if (p == end)
        return EMPTY;
    int64_t first, second, third, days, seconds = 0;
    double fraction = 0;
    const uint8_t *start = p;
    int width = digits_at(&p, end, 4, &first);
    if (!width || p == end || *p < '-' || *p > '/')
        return LEFT;
    uint8_t separator = *p++, order = orders[separator - '-'];
    int second_width = digits_at(&p, end, 2, &second);
    if (!second_width || p == end || *p++ != separator)
        return LEFT;
    int third_width = digits_at(&p, end, 4, &third), good = 0;
    if (width == 4)
        good = third_width && third_width <= 2 && days_of(first, second, third, &days);
    else if (width <= 2 && (third_width == 2 || third_width == 4)) {
        int64_t year = order == SHORT_YEAR_FIRST ? first : third;
        if (third_width == 2)
            year += year >= CENTURY_TURNS ? 1900 : 2000;
        if (order == DAY_FIRST)
            good = days_of(year, second, first, &days);
        else if (order == MONTH_FIRST)
            good = days_of(year, first, second, &days);
        else if (order == SHORT_YEAR_FIRST && p - start == 8)
            good = third_width == 2 && days_of(year, second, third, &days);
    }
    if (!good)
        return LEFT;
    if (p < end && ((*p != 'T' && *p != 't' && *p != ' ') ||
                    !clock_of(p + 1, end, &seconds, &fraction)))
        return LEFT;
    *value = (double)(days * 86400 + seconds) + fraction;
    return 0;
}

/* moments(text, start, stop, wide, orders, value f64, form u8)
 * start, stop: i64 if wide, else i32. form: 0 where the cell is a moment, EMPTY or LEFT. */
static PyObject *moments(PyObject *self, PyObject *args) {
    Py_buffer text, starts, stops, orders, values, forms;
    int wide;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*iy*w*w*", &text, &starts, &stops, &wide, &orders, &values,
                          &forms))
        return NULL;
    Py_ssize_t n = forms.len, size = wide ? 8 : 4;
    double *value = values.buf;
    uint8_t *form = forms.buf;
    int ok = starts.len == size * n && stops.len == size * n && values.len == 8 * n &&
             orders.len == 3;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        const uint8_t *p = text.buf;
        for (Py_ssize_t i = 0; i < n; i++) {
            int64_t from = wide ? ((int64_t *)starts.buf)[i] : ((int32_t *)starts.buf)[i];
            int64_t to = wide ? ((int64_t *)stops.buf)[i] : ((int32_t *)stops.buf)[i];
            if (from < 0 || to > text.len || from > to) {
                ok = 0;
                break;
            }
            form[i] = moment_of(p + from, p + to, orders.buf, &value[i]);
            if (form[i])
                value[i] = NAN;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&text);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&stops);
    PyBuffer_Release(&orders);
    PyBuffer_Release(&values);
    PyBuffer_Release(&forms);
    if (!ok)
        return bad("moments: arguments out of range");
    Py_RETURN_NONE;
}

#ifdef __GNUC__
#define PREFETCH(place) __builtin_prefetch(place, 1)
#else
#define PREFETCH(place) ((void)(place))
#endif

#define MOST_MET 40         /* what a count of a context's bits grows to */
#define MOST_MET_WIDELY 30
#define FIRST_WEIGHT 13000  /* of 65536 */
/* ---- mixing of contexts: mixing.py -------------------------------------------------------- */

#define ORDERS 10           /* contexts */
#define ORDERS_WIDELY 15    /* of a text that is mixed widely, whose words are contexts, too */
#define INPUTS (ORDERS_WIDELY + 2) /* and a match, and a bias */
#define SETS 3              /* of weights, each chosen in its own way */
#define SETS_WIDELY 4
#define ALL_SETS (256 + 32 + 64)
#define MOST_FIELDS 256
#define MOST_SLOT_BITS 18
#define MOST_SLOT_BITS_WIDELY 19
#define NODES 16            /* of half a byte: 15, and what tells slots apart */
#define MATCH_BITS 16
#define LEAST_MATCH 5
#define LONGEST_MATCH 65535
#define MULTIPLIER 0x9E3779B1u
#define LARGE_TABLE ((size_t)30 << 20) /* bytes; smaller ones are of memory that was used before */

/* The nodes of half a byte in one context, together: they are looked up together. */
typedef struct {
    uint16_t p[NODES]; /* probabilities of 16 bits; node 0 is the slot's check */
    uint8_t n[NODES];  /* how often each was met */
} Half;

typedef struct {
    const uint8_t *text; /* as far as it is known */
    Py_ssize_t at;
    uint8_t delimiter;
    int widely, orders, sets, most_met;
    uint32_t c0, bits;   /* bits of this byte behind a 1, and how many */
    uint32_t slot_bits;
    Half *slots;          /* of each order, one behind the other */
    uint32_t hash[ORDERS_WIDELY];
    Half *slot[ORDERS_WIDELY]; /* that in force */
    int32_t weights[ALL_SETS + 256 * 8][INPUTS];
    int32_t inputs[INPUTS], set[SETS_WIDELY], guess[SETS_WIDELY];
    uint16_t final_1[256 * 33], *final_2; /* of (bits so far, mixture), and of the byte before, too */
    uint32_t at_1, at_2;
    int32_t mixed, probability;
    uint32_t field, in_field, field_before, above_hash; /* hashes of the field so far, and others */
    uint32_t in_line, word, word_before, word_but_one;  /* of the line, and of its last three words */
    Py_ssize_t above, starts[2][MOST_FIELDS];
    uint32_t hashes[2][MOST_FIELDS];
    int now;
    Py_ssize_t match;
    uint32_t length;
    int32_t *places;
    uint16_t match_p[64];
    int32_t predicted;
    int16_t stretch[4096]; /* what squash makes these probabilities of */
    int32_t step[MOST_MET + 1]; /* of 65536, towards a bit, by how often one was met: no division each time */
} Mix;

/* 4096 / (1 + exp(-x / 256)), by a table of every 128th */
static int32_t squash(int32_t x) {
    static const int16_t every[33] = {1,    2,    3,    6,    10,   16,   27,   45,   73,
                                      120,  194,  310,  488,  747,  1101, 1546, 2047, 2549,
                                      2994, 3348, 3607, 3785, 3901, 3975, 4022, 4050, 4068,
                                      4079, 4085, 4089, 4092, 4093, 4094};
    if (x > 2047)
        return 4095;
    if (x < -2047)
        return 0;
    int32_t part = x & 127, place = (x >> 7) + 16;
    return (every[place] * (128 - part) + every[place + 1] * part + 64) >> 7;
}

/* Zeros for a table that is met at random. Of a large one the first visit to each page of memory takes
 * longer than all that is done there, and each visit has its page looked up: where the system has pages
 * of 2 MB it is asked for these, which takes half of the time of a text of 30,000 bytes. */
static void *table_make(size_t size) {
#ifdef MADV_HUGEPAGE
    if (size >= LARGE_TABLE) {
        void *table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (table == MAP_FAILED)
            return NULL;
        madvise(table, size, MADV_HUGEPAGE); /* a system that refuses has small pages */
        return table;
    }
#endif
    return calloc(size, 1);
}

static void table_free(void *table, size_t size) {
#ifdef MADV_HUGEPAGE
    if (table && size >= LARGE_TABLE) {
        munmap(table, size);
        return;
    }
#endif
    (void)size;
    free(table);
}

static size_t mix_size(const Mix *m) {
    return ((size_t)m->orders << m->slot_bits) * sizeof(Half);
}

static void mix_free(Mix *m) {
    table_free(m->slots, mix_size(m));
    free(m->places);
    free(m->final_2);
}

static uint32_t mix_hash(uint32_t a, uint32_t b) {
    uint32_t h = (a * MULTIPLIER) ^ (b + 0x7F4A7C15u + (a >> 15));
    h *= 0x85EBCA6Bu;
    return h ^ (h >> 13);
}

/* The slots of half a byte: whichever is not of this context begins anew. */
static void mix_slots(Mix *m) {
    uint16_t checks[ORDERS_WIDELY];
    /* all slots are asked for before the first is looked at: most are far away in memory */
    for (int i = 0; i < m->orders; i++) {
        uint32_t h = mix_hash(m->hash[i], m->bits ? m->c0 : 0);
        checks[i] = (uint16_t)(h & 0xFFFF) | 1;
        size_t place = h * MULTIPLIER >> (32 - m->slot_bits);
        m->slot[i] = m->slots + (((size_t)i << m->slot_bits) + place);
        PREFETCH(m->slot[i]);
    }
    for (int i = 0; i < m->orders; i++) {
        Half *slot = m->slot[i];
        if (slot->p[0] != checks[i]) {
            for (int j = 1; j < NODES; j++)
                slot->p[j] = 32768;
            memset(slot->n, 0, sizeof slot->n);
            slot->p[0] = checks[i];
        }
    }
}

static void mix_predict(Mix *m) {
    uint32_t node = m->bits < 4 ? m->c0 : (m->c0 & ((1u << (m->bits - 4)) - 1)) | 1u << (m->bits - 4);
    int32_t known = 0;
    for (int i = 0; i < m->orders; i++) {
        const Half *slot = m->slot[i];
        m->inputs[i] = slot->n[node] ? m->stretch[slot->p[node] >> 4] : 0;
        known += i >= 2 && i < 6 && slot->n[node];
    }
    /* the byte that followed what the last bytes repeat, as far as its bits agree */
    m->predicted = -1;
    m->inputs[m->orders] = 0;
    int32_t long_match = 0;
    if (m->length) {
        uint32_t byte = m->text[m->match] | 256u;
        if (byte >> (8 - m->bits) == m->c0) {
            uint32_t bit = byte >> (7 - m->bits) & 1;
            uint32_t size = m->length < 16 ? m->length : m->length < 32 ? 16 + (m->length - 16) / 4
                                                       : m->length < 512 ? 20 + m->length / 64 : 28;
            m->predicted = (int32_t)(size * 2 + bit);
            int32_t sure = m->stretch[m->match_p[size] >> 4];
            m->inputs[m->orders] = bit ? sure : -sure;
            long_match = m->length < 16 ? 1 : m->length < 32 ? 2 : 3;
        }
    }
    m->inputs[m->orders + 1] = 256;
    m->set[0] = (int32_t)m->c0;
    m->set[1] = 256 + known * 4 + long_match;
    m->set[2] = 256 + 32 + (int32_t)(m->field < 63 ? m->field : 63);
    uint32_t before = m->at ? m->text[m->at - 1] : 0;
    m->set[3] = ALL_SETS + (int32_t)(before << 3 | m->bits);
    int32_t total = 0;
    for (int s = 0; s < m->sets; s++) {
        const int32_t *w = m->weights[m->set[s]];
        int64_t sum = 0;
        int count = m->orders + 2;
        for (int i = 0; i < count; i++)
            sum += (int64_t)w[i] * m->inputs[i];
        sum >>= 16;
        m->guess[s] = sum > 2047 ? 2047 : sum < -2047 ? -2047 : (int32_t)sum;
        total += m->guess[s];
    }
    m->mixed = (total + m->sets * 2048) / m->sets - 2048;
    /* what came of such a mixture before */
    uint32_t x = (uint32_t)(m->mixed + 2048), low = x >> 7, part = x & 127;
    m->at_1 = m->c0 * 33 + low + (part >> 6);
    m->at_2 = (before << 3 | m->bits) * 33 + low + (part >> 6);
    int32_t p = squash(m->mixed) * 16;
    p = (2 * p + m->final_1[m->at_1] + m->final_2[m->at_2]) >> 2;
    m->probability = p < 24 ? 24 : p > 65512 ? 65512 : p;
}

static void mix_field(Mix *m, uint8_t byte) {
    m->hashes[m->now][m->field] = m->in_field;
    m->field_before = m->in_field;
    if (byte == '\n') {
        for (uint32_t f = m->field + 1; f < MOST_FIELDS && m->starts[m->now][f] >= 0; f++)
            m->starts[m->now][f] = -1;
        m->now ^= 1;
        m->field = 0;
        m->field_before = 0;
    } else if (m->field < MOST_FIELDS - 1) {
        m->field++;
    }
    m->starts[m->now][m->field] = m->at;
    m->above = m->starts[m->now ^ 1][m->field];
    m->above_hash = m->above < 0 ? 0 : m->hashes[m->now ^ 1][m->field];
    m->in_field = 0;
}

/* The contexts of the next byte. */
static void mix_contexts(Mix *m) {
    const uint8_t *end = m->text + m->at;
    uint32_t order = 0;
    static const uint8_t sizes[6] = {0, 1, 2, 3, 4, 6};
    for (int i = 0, size = 0; i < 6; i++) {
        for (; size < sizes[i]; size++)
            order = mix_hash(order, size < m->at ? end[-1 - size] : 0u);
        m->hash[i] = mix_hash(order, (uint32_t)i);
    }
    uint32_t above = m->above < 0 ? 0 : m->text[m->above];
    uint32_t next = m->above < 0 || m->above + 1 >= m->at ? 0 : m->text[m->above + 1];
    uint32_t field = m->field << 8 | 128;
    m->hash[6] = mix_hash(field, m->in_field);
    m->hash[7] = mix_hash(field + 1, above << 16 | next << 8 | (m->at ? end[-1] : 0u));
    m->hash[8] = mix_hash(mix_hash(field + 2, m->in_field), m->field_before);
    m->hash[9] = mix_hash(mix_hash(field + 3, m->in_field), m->above_hash);
    if (!m->widely)
        return;
    uint32_t last = m->at ? end[-1] : 0u;
    uint32_t second = m->at > 1 ? end[-2] : 0u, third = m->at > 2 ? end[-3] : 0u;
    m->hash[10] = mix_hash(m->word, 10);
    m->hash[11] = mix_hash(mix_hash(m->word, m->word_before), 11);
    m->hash[12] = mix_hash(mix_hash(mix_hash(m->word, m->word_but_one), last), 12);
    m->hash[13] = mix_hash(second << 8 | third, 13);
    m->hash[14] = mix_hash(m->in_line, 14);
}

/* A byte of the word so far, or the end of one; capitals are as small letters. */
static void mix_word(Mix *m, uint8_t byte) {
    uint32_t letter = byte >= 'A' && byte <= 'Z' ? byte + 32u : byte;
    if ((letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter >= 128) {
        m->word = mix_hash(m->word + 1, letter);
    } else if (m->word) {
        m->word_but_one = m->word_before;
        m->word_before = m->word;
        m->word = 0;
    }
    m->in_line = byte == '\n' ? 0 : mix_hash(m->in_line + 1, byte);
}

static void mix_byte(Mix *m) {
    uint8_t byte = (uint8_t)m->c0;
    m->at++; /* the byte is in the text by now */
    m->c0 = 1;
    m->bits = 0;
    if (m->above >= 0 && m->text[m->above] != m->delimiter && m->text[m->above] != '\n')
        m->above++;
    if (byte == m->delimiter || byte == '\n')
        mix_field(m, byte);
    else
        m->in_field = mix_hash(m->in_field + 1, byte);
    if (m->widely)
        mix_word(m, byte);
    mix_contexts(m);
    const uint8_t *end = m->text + m->at;
    if (m->length && m->text[m->match] == byte) {
        m->length += m->length < LONGEST_MATCH;
        m->match++;
    } else {
        m->length = 0;
    }
    if (m->at >= LEAST_MATCH) {
        uint32_t h = 0;
        for (int i = 1; i <= LEAST_MATCH; i++)
            h = mix_hash(h, end[-i]);
        int32_t *place = m->places + (h >> (32 - MATCH_BITS));
        if (!m->length && *place > 0) {
            m->match = *place;
            while (m->length < 32 && m->length < m->match &&
                   m->text[m->match - 1 - (Py_ssize_t)m->length] == end[-1 - (Py_ssize_t)m->length])
                m->length++;
        }
        *place = (int32_t)m->at;
    }
}

static void mix_learn(Mix *m, uint32_t bit) {
    uint32_t node = m->bits < 4 ? m->c0 : (m->c0 & ((1u << (m->bits - 4)) - 1)) | 1u << (m->bits - 4);
    int32_t target = bit ? 65535 : 0;
    for (int i = 0; i < m->orders; i++) {
        uint16_t *p = m->slot[i]->p + node;
        uint8_t *n = m->slot[i]->n + node;
        *p = (uint16_t)(*p + (((int64_t)target - *p) * m->step[*n] >> 16));
        *n = (uint8_t)(*n + (*n < m->most_met));
    }
    if (m->predicted >= 0) {
        uint16_t *p = m->match_p + (m->predicted >> 1);
        int32_t hit = (uint32_t)(m->predicted & 1) == bit ? 65535 : 0;
        *p = (uint16_t)(*p + ((hit - *p) >> 6));
    }
    int32_t rate = m->at < 2000 ? 110 : m->at < 20000 ? 50 : 20;
    for (int s = 0; s < m->sets; s++) {
        int32_t miss = ((int32_t)(bit << 12) - squash(m->guess[s])) * rate;
        int32_t *restrict w = m->weights[m->set[s]];
        const int32_t *restrict inputs = m->inputs;
        int count = m->orders + 2;
        for (int i = 0; i < count; i++)
            w[i] += (inputs[i] * miss + 32768) >> 16;
    }
    m->final_1[m->at_1] = (uint16_t)(m->final_1[m->at_1] + ((target - m->final_1[m->at_1]) >> 6));
    m->final_2[m->at_2] = (uint16_t)(m->final_2[m->at_2] + ((target - m->final_2[m->at_2]) >> 6));
    m->c0 = m->c0 << 1 | bit;
    m->bits++;
}

static int mix_make(Mix *m, const uint8_t *text, Py_ssize_t size, uint8_t delimiter, int widely) {
    memset(m, 0, sizeof *m);
    m->text = text;
    m->delimiter = delimiter;
    m->widely = widely;
    m->orders = widely ? ORDERS_WIDELY : ORDERS;
    m->sets = widely ? SETS_WIDELY : SETS;
    m->most_met = widely ? MOST_MET_WIDELY : MOST_MET;
    uint32_t most_bits = widely ? MOST_SLOT_BITS_WIDELY : MOST_SLOT_BITS;
    m->slot_bits = 8;
    while (m->slot_bits < most_bits && (Py_ssize_t)1 << m->slot_bits < 2 * size)
        m->slot_bits++;
    m->slots = table_make(mix_size(m));
    m->places = calloc((size_t)1 << MATCH_BITS, 4);
    m->final_2 = malloc(256 * 8 * 33 * 2);
    if (!m->slots || !m->places || !m->final_2)
        return -2;
    for (size_t s = 0; s < sizeof m->weights / sizeof m->weights[0]; s++)
        for (int i = 0; i <= m->orders; i++)
            m->weights[s][i] = FIRST_WEIGHT; /* and none of the bias */
    for (int i = 0; i < 64; i++)
        m->match_p[i] = (uint16_t)(65536 - 32768 / (i + 1));
    for (int i = 0; i <= MOST_MET; i++)
        m->step[i] = 131072 / (2 * i + 3);
    for (int32_t x = -2047, next = 0; x <= 2047; x++)
        for (int32_t v = squash(x); next <= v; next++)
            m->stretch[next] = (int16_t)x;
    m->stretch[4095] = 2047;
    for (uint32_t j = 0; j < 33; j++)
        m->final_1[j] = (uint16_t)(squash(((int32_t)j - 16) * 128) * 16);
    for (size_t c = 1; c < 256; c++)
        memcpy(m->final_1 + c * 33, m->final_1, 33 * 2);
    for (size_t c = 0; c < 256 * 8; c++)
        memcpy(m->final_2 + c * 33, m->final_1, 33 * 2);
    for (int i = 0; i < MOST_FIELDS; i++)
        m->starts[0][i] = m->starts[1][i] = -1;
    m->starts[0][0] = 0;
    m->above = -1;
    m->c0 = 1;
    mix_contexts(m);
    return 0;
}

/* Learn the first bytes of the text, which need no code. */
static void mix_know(Mix *m, Py_ssize_t known) {
    for (Py_ssize_t i = 0; i < known; i++) {
        for (int shift = 7; shift >= 0; shift--) {
            if (!(m->bits & 3))
                mix_slots(m);
            mix_predict(m);
            mix_learn(m, m->text[i] >> shift & 1);
        }
        mix_byte(m);
    }
}

/* mix(text, delimiter, widely, known, out u8) -> bytes written, or -1 if they are more than fit; of the
 * text behind the first bytes, as many as are known */
static PyObject *mix_text(PyObject *self, PyObject *args) {
    Py_buffer text, out;
    int delimiter, widely;
    Py_ssize_t known, size = -1;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iinw*", &text, &delimiter, &widely, &known, &out))
        return NULL;
    Mix *m = calloc(1, sizeof *m);
    int status = m && text.len < INT32_MAX && known >= 0 && known <= text.len ? 0 : -2;
    Py_BEGIN_ALLOW_THREADS
    if (m && !status)
        status = mix_make(m, text.buf, text.len, (uint8_t)delimiter, widely);
    if (!status) {
        uint32_t low = 0, high = UINT32_MAX;
        uint8_t *to = out.buf;
        Py_ssize_t at = 0;
        mix_know(m, known);
        for (Py_ssize_t i = known; i < text.len && at < out.len; i++) {
            for (int shift = 7; shift >= 0 && at < out.len; shift--) {
                uint32_t bit = m->text[i] >> shift & 1;
                if (!(m->bits & 3))
                    mix_slots(m);
                mix_predict(m);
                uint32_t middle = low + (uint32_t)((uint64_t)(high - low) * (uint32_t)m->probability >> 16);
                if (bit)
                    high = middle;
                else
                    low = middle + 1;
                for (; !((low ^ high) >> 24) && at < out.len; low <<= 8, high = high << 8 | 255)
                    to[at++] = (uint8_t)(high >> 24);
                mix_learn(m, bit);
            }
            mix_byte(m);
        }
        /* as few bytes as lie between both, whatever is read behind them being 0 */
        for (; low && at < out.len; low <<= 8, high = high << 8 | 255) {
            uint32_t top = (low >> 24) + 1;
            if (top << 24 > low && top << 24 <= high) {
                to[at++] = (uint8_t)top;
                break;
            }
            to[at++] = (uint8_t)(low >> 24);
        }
        size = at < out.len ? at : -1;
    }
    Py_END_ALLOW_THREADS
    if (m)
        mix_free(m);
    free(m);
    PyBuffer_Release(&text);
    PyBuffer_Release(&out);
    if (status)
        return PyErr_NoMemory();
    return PyLong_FromSsize_t(size);
}

/* mix_costs(text, delimiter, widely, out f64): the bits that each byte of a text takes in its mixture */
static PyObject *mix_costs(PyObject *self, PyObject *args) {
    Py_buffer text, out;
    int delimiter, widely;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iiw*", &text, &delimiter, &widely, &out))
        return NULL;
    Mix *m = calloc(1, sizeof *m);
    int fits = out.len == 8 * text.len && text.len < INT32_MAX;
    int status = m && fits ? 0 : -2;
    Py_BEGIN_ALLOW_THREADS
    if (!status)
        status = mix_make(m, text.buf, text.len, (uint8_t)delimiter, widely);
    if (!status) {
        double *to = out.buf;
        for (Py_ssize_t i = 0; i < text.len; i++) {
            double bits = 0;
            for (int shift = 7; shift >= 0; shift--) {
                uint32_t bit = m->text[i] >> shift & 1;
                if (!(m->bits & 3))
                    mix_slots(m);
                mix_predict(m);
                bits += 16 - log2(bit ? m->probability : 65536 - m->probability);
                mix_learn(m, bit);
            }
            to[i] = bits;
            mix_byte(m);
        }
    }
    Py_END_ALLOW_THREADS
    if (m)
        mix_free(m);
    free(m);
    PyBuffer_Release(&text);
    PyBuffer_Release(&out);
    if (!fits)
        return bad("mix_costs: arguments out of range");
    if (status)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* unmix(data, delimiter, widely, known, out u8): the text that mix made the data of, its known bytes there */
static PyObject *unmix_text(PyObject *self, PyObject *args) {
    Py_buffer data, out;
    int delimiter, widely;
    Py_ssize_t known;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*iinw*", &data, &delimiter, &widely, &known, &out))
        return NULL;
    Mix *m = calloc(1, sizeof *m);
    int status = m && out.len < INT32_MAX && known >= 0 && known <= out.len ? 0 : -2;
    Py_BEGIN_ALLOW_THREADS
    if (!status)
        status = mix_make(m, out.buf, out.len, (uint8_t)delimiter, widely);
    if (!status) {
        uint32_t low = 0, high = UINT32_MAX, code = 0;
        const uint8_t *from = data.buf;
        uint8_t *to = out.buf;
        Py_ssize_t at = 0;
        for (; at < 4; at++)
            code = code << 8 | (at < data.len ? from[at] : 0u);
        mix_know(m, known);
        for (Py_ssize_t i = known; i < out.len; i++) {
            while (m->bits < 8) {
                if (!(m->bits & 3))
                    mix_slots(m);
                mix_predict(m);
                uint32_t middle = low + (uint32_t)((uint64_t)(high - low) * (uint32_t)m->probability >> 16);
                uint32_t bit = code <= middle;
                if (bit)
                    high = middle;
                else
                    low = middle + 1;
                for (; !((low ^ high) >> 24); low <<= 8, high = high << 8 | 255, at++)
                    code = code << 8 | (at < data.len ? from[at] : 0u);
                mix_learn(m, bit);
            }
            to[i] = (uint8_t)m->c0;
            mix_byte(m);
        }
    }
    Py_END_ALLOW_THREADS
    if (m)
        mix_free(m);
    free(m);
    PyBuffer_Release(&data);
    PyBuffer_Release(&out);
    if (status)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* ---- mixing of a stream's symbols: symbol_mixing.py -------------------------------------- */

#define MOST_CONTEXTS 32


/* what the symbols before add to a context: the last ones, the level, what came last there, means */
enum { OWN_LEVEL = 5, OWN_RECENT, OWN_MEAN, OWN_MEAN_LEVEL, OWN_KINDS };

typedef struct {
    uint16_t check, chance, met;
} Slot;

/* ---- a regression beside the contexts: regression.py */

#define MOST_REGRESSORS 6
#define REGRESSION_INPUTS (MOST_REGRESSORS + 4)
#define FARTHEST 16384
#define PLACES 1024 /* of the logistic function */

/* Inputs are at most 2^10 from 0, sums of 2^13 products at most 2^33, weights at most 2^20: no sum
 * of ten weighted sums leaves 2^57. */
typedef struct {
    const int32_t *middles, *edges, *regressors; /* middles NULL: there is none */
    int32_t size, alphabet;
    Py_ssize_t count, at;
    int64_t products[REGRESSION_INPUTS][REGRESSION_INPUTS], matches[REGRESSION_INPUTS];
    int64_t weights[REGRESSION_INPUTS];
    int32_t inputs[REGRESSION_INPUTS], rows, mean, last, last_but_one, predicted;
    int32_t errors[2], scales[2];
    int32_t below[PLACES]; /* shares of 2^30 */
    /* of both densities the shares below the symbols that the next bit can still mean, below its
     * upper half, and below what is behind them */
    int32_t from[2], middle[2], to[2];
} Regression;

static int64_t cut(int64_t number, int64_t farthest) {
    return number > farthest ? farthest : number < -farthest ? -farthest : number;
}

/* Rounds down; the divisor is above 0. */
static int64_t floored(int64_t number, int64_t divisor) {
    return number / divisor - (number % divisor < 0);
}

/* 0, -1: arguments out of range */
static int regression_make(Regression *g, const Py_buffer *numbers, int32_t alphabet,
                           Py_ssize_t count) {
    memset(g, 0, sizeof *g);
    if (!numbers->len)
        return 0;
    Py_ssize_t beside = numbers->len - 8 * (Py_ssize_t)alphabet;
    if (beside < 0 || beside > 4 * MOST_REGRESSORS * count || (count && beside % (4 * count)))
        return -1;
    g->middles = numbers->buf;
    g->edges = g->middles + alphabet;
    g->regressors = g->edges + alphabet;
    g->alphabet = alphabet, g->count = count;
    g->size = 4 + (count ? (int32_t)(beside / (4 * count)) : 0);
    for (Py_ssize_t i = 0; i < 2 * alphabet; i++)
        if (g->middles[i] < -FARTHEST || g->middles[i] > FARTHEST)
            return -1;
    for (Py_ssize_t i = 0; i < beside / 4; i++)
        if (g->regressors[i] < -1024 || g->regressors[i] > 1024)
            return -1;
    uint64_t falling = 1 << 30, one = 1 << 30;
    for (int k = 0; k < PLACES; k++, falling = (falling * 4228379999u + (1u << 31)) >> 32)
        g->below[k] = (int32_t)(falling * one / (one + falling));
    return 0;
}

static void regression_begin(Regression *g) {
    int32_t beside = g->size - 4, *own = g->inputs + beside;
    int64_t total = 0;
    for (int i = 0; i < beside; i++)
        g->inputs[i] = g->regressors[i * g->count + g->at];
    own[0] = 1024, own[1] = g->last, own[2] = g->last_but_one, own[3] = g->mean >> 8;
    for (int i = 0; i < g->size; i++)
        total += g->weights[i] * g->inputs[i];
    g->predicted = (int32_t)cut(total >> 12, 2 * FARTHEST);
    for (int k = 0; k < 2; k++) {
        g->scales[k] = (g->errors[k] * 9 >> 12) + 16;
        g->from[k] = 0, g->to[k] = 1 << 30;
    }
}

/* The inputs of the mixture for a bit that is 1 of the symbols from this one on. */
static void regression_logits(Regression *g, int32_t symbol, const int16_t *stretch, int32_t *to) {
    int32_t distance = (g->edges[symbol] - g->predicted) * 64;
    for (int k = 0; k < 2; k++) {
        int32_t place = (int32_t)cut(floored(distance, g->scales[k]), PLACES - 1);
        int32_t middle = place < 0 ? g->below[-place] : (1 << 30) - g->below[place];
        int64_t upper = g->to[k] - middle, lower = middle - g->from[k];
        g->middle[k] = middle;
        upper = (upper < 0 ? 0 : upper) + 64, lower = (lower < 0 ? 0 : lower) + 64;
        to[k] = stretch[upper * 4096 / (upper + lower)];
    }
}

static void regression_learn(Regression *g, uint32_t symbol) {
    int32_t place = g->middles[symbol], number = place >> 4, off = place - g->predicted;
    off = (off < 0 ? -off : off) * 256;
    g->errors[0] = g->at ? g->errors[0] + ((off - g->errors[0]) >> 4) : off;
    g->errors[1] = g->at ? g->errors[1] + ((off - g->errors[1]) >> 8) : off;
    for (int i = 0; i < g->size; i++) {
        for (int j = 0; j <= i; j++)
            g->products[i][j] += (int64_t)g->inputs[i] * g->inputs[j];
        g->matches[i] += (int64_t)g->inputs[i] * number;
    }
    if (++g->rows == 8192) {
        g->rows >>= 1;
        for (int i = 0; i < g->size; i++) {
            for (int j = 0; j <= i; j++)
                g->products[i][j] >>= 1;
            g->matches[i] >>= 1;
        }
    }
    for (int i = 0; i < g->size; i++) {
        int64_t left = g->matches[i] * 65536;
        for (int j = 0; j < g->size; j++)
            left -= g->weights[j] * (j <= i ? g->products[i][j] : g->products[j][i]);
        int64_t step = floored(left, g->products[i][i] + 65536);
        g->weights[i] = cut(g->weights[i] + step, 1 << 20);
    }
    g->mean = g->at ? g->mean + ((number * 256 - g->mean) >> 3) : number * 256;
    g->last_but_one = g->last;
    g->last = number;
    g->at++;
}

/* ---- the mixture */

#define MOST_INPUTS (MOST_CONTEXTS + 3) /* of a regression two, and a constant */

typedef struct {
    const uint32_t *bases; /* of each context, for each symbol */
    const int32_t *kinds, *limits;
    const int64_t *starts;
    Py_ssize_t count;
    int32_t alphabet, shift, slot_bits, contexts, bits, inputs_before; /* the constant */
    Slot *slots;
    int32_t (*weights)[MOST_INPUTS];
    uint16_t *final;
    int16_t stretch[4096];
    int32_t step[256]; /* of 65536, towards a bit, by how often a slot was met */
    uint16_t *recent[MOST_CONTEXTS]; /* symbols that came last, 1 more; NULL of other kinds */
    uint32_t recent_place[MOST_CONTEXTS];
    int64_t mean, mean_level; /* in 256ths */
    int starts_means;
    /* of the symbol that comes */
    uint32_t hash[MOST_CONTEXTS];
    int32_t inputs[MOST_INPUTS], guess[2], rate, left;
    Slot *found[MOST_CONTEXTS];
    uint32_t node, place, last[6];
    uint64_t level;
    Regression regression;
} Symbols;

static void symbols_free(Symbols *m) {
    free(m->slots);
    free(m->weights);
    free(m->final);
    for (int i = 0; i < MOST_CONTEXTS; i++)
        free(m->recent[i]);
}

/* 0, -1: arguments out of range, -2: no memory */
static int symbols_make(Symbols *m, const Py_buffer *bases, const Py_buffer *settings,
                        const Py_buffer *starts, const Py_buffer *numbers, Py_ssize_t count) {
    const int32_t *set = settings->buf;
    memset(m, 0, sizeof *m);
    if (settings->len < 20 || count > INT32_MAX)
        return -1;
    m->alphabet = set[0], m->shift = set[1], m->slot_bits = set[2], m->contexts = set[3];
    int32_t first_weight = set[4];
    if (m->alphabet < 2 || m->alphabet > 1024 || m->shift < 0 || m->shift > 63 || m->slot_bits < 8 ||
        m->slot_bits > MOST_SLOT_BITS || m->contexts < 1 || m->contexts > MOST_CONTEXTS ||
        settings->len != 4 * (5 + 2 * m->contexts) || starts->len != 8 * m->alphabet ||
        bases->len != 4 * count * m->contexts)
        return -1;
    m->kinds = set + 5;
    m->limits = m->kinds + m->contexts;
    for (int i = 0; i < m->contexts; i++)
        if (m->kinds[i] < 0 || m->kinds[i] >= OWN_KINDS || m->limits[i] < 1 || m->limits[i] > 255)
            return -1;
    if (regression_make(&m->regression, numbers, m->alphabet, count))
        return -1;
    m->inputs_before = m->contexts + (m->regression.middles ? 2 : 0);
    m->bases = bases->buf;
    m->starts = starts->buf;
    m->count = count;
    while (1 << m->bits < m->alphabet)
        m->bits++;
    size_t nodes = (size_t)1 << m->bits;
    m->slots = calloc((size_t)m->contexts << m->slot_bits, sizeof *m->slots);
    m->weights = malloc(nodes * sizeof *m->weights);
    m->final = malloc(nodes * 33 * 2);
    if (!m->slots || !m->weights || !m->final)
        return -2;
    for (int i = 0; i < m->contexts; i++)
        if (m->kinds[i] == OWN_RECENT) {
            m->recent[i] = calloc((size_t)1 << m->slot_bits, sizeof *m->recent[i]);
            if (!m->recent[i])
                return -2;
        }
    m->starts_means = 1;
    for (int i = 0; i < 256; i++)
        m->step[i] = 131072 / (2 * i + 3);
    for (size_t s = 0; s < nodes; s++) {
        for (int i = 0; i < m->inputs_before; i++)
            m->weights[s][i] = i < m->contexts ? first_weight : 10000;
        m->weights[s][m->inputs_before] = 0;
        for (int32_t j = 0; j < 33; j++)
            m->final[s * 33 + (size_t)j] = (uint16_t)(squash((j - 16) * 128) * 16);
    }
    for (int32_t x = -2047, next = 0; x <= 2047; x++)
        for (int32_t v = squash(x); next <= v; next++)
            m->stretch[next] = (int16_t)x;
    m->stretch[4095] = 2047;
    return 0;
}

/* Bits that no symbol has are 0, and not coded. */
static void symbols_pass(Symbols *m) {
    while (m->left &&
           (int32_t)((m->node << 1 | 1) << (m->left - 1)) - (1 << m->bits) >= m->alphabet) {
        m->node <<= 1;
        m->left--;
    }
}

/* The lowest 32 bits of the level, which is shifted as a number with a sign. */
static int32_t symbols_level(const Symbols *m) {
    uint64_t level = m->level >> m->shift;
    if (m->level >> 63 && m->shift)
        level |= ~(uint64_t)0 << (64 - m->shift);
    return (int32_t)(uint32_t)level;
}

static void symbols_begin(Symbols *m, Py_ssize_t at) {
    uint32_t own[OWN_KINDS] = {0}, order = 0;
    for (int i = 0; i < 6; i++) {
        order = mix_hash(order, m->last[i]);
        if (i < 3)
            own[i + 1] = order;
    }
    own[4] = order;
    own[OWN_LEVEL] = (uint32_t)symbols_level(m);
    own[OWN_MEAN] = (uint32_t)(m->mean >> 8);
    own[OWN_MEAN_LEVEL] = (uint32_t)(m->mean_level >> 10);
    for (int i = 0; i < m->contexts; i++) {
        uint32_t base = m->bases[(Py_ssize_t)i * m->count + at];
        if (m->kinds[i] == OWN_RECENT) {
            m->recent_place[i] = base * MULTIPLIER >> (32 - m->slot_bits);
            m->hash[i] = mix_hash((uint32_t)i, m->recent[i][m->recent_place[i]]);
        } else
            m->hash[i] = mix_hash(base, own[m->kinds[i]]);
    }
    m->rate = 41000 / (500 + (int32_t)at);
    if (m->rate < 8)
        m->rate = 8;
    if (m->regression.middles)
        regression_begin(&m->regression);
    m->node = 1;
    m->left = m->bits;
    symbols_pass(m);
}

static uint32_t symbols_chance(Symbols *m) {
    int64_t sums[2] = {0, 0};
    const int32_t *common = m->weights[0], *own = m->weights[m->node];
    uint16_t checks[MOST_CONTEXTS];
    /* all slots are asked for before the first is looked at: most are far away in memory */
    for (int i = 0; i < m->contexts; i++) {
        uint32_t h = mix_hash(m->hash[i], m->node);
        checks[i] = (uint16_t)(h & 0xFFFF) | 1;
        m->found[i] =
            m->slots + ((size_t)i << m->slot_bits) + (h * MULTIPLIER >> (32 - m->slot_bits));
        PREFETCH(m->found[i]);
    }
    for (int i = 0; i < m->contexts; i++) {
        uint16_t check = checks[i];
        Slot *slot = m->found[i];
        if (slot->check != check) {
            slot->check = check;
            slot->chance = 32768;
            slot->met = 0;
        }
        m->inputs[i] = slot->met ? m->stretch[slot->chance >> 4] : 0;
        sums[0] += (int64_t)common[i] * m->inputs[i];
        sums[1] += (int64_t)own[i] * m->inputs[i];
    }
    if (m->regression.middles) {
        int32_t upper = (int32_t)((m->node << 1 | 1) << (m->left - 1)) - (1 << m->bits);
        regression_logits(&m->regression, upper, m->stretch, m->inputs + m->contexts);
    }
    m->inputs[m->inputs_before] = 256;
    for (int i = m->contexts; i <= m->inputs_before; i++) {
        sums[0] += (int64_t)common[i] * m->inputs[i];
        sums[1] += (int64_t)own[i] * m->inputs[i];
    }
    for (int s = 0; s < 2; s++) {
        int64_t sum = sums[s] >> 16;
        m->guess[s] = sum > 2047 ? 2047 : sum < -2047 ? -2047 : (int32_t)sum;
    }
    int32_t logit = (m->guess[0] + m->guess[1]) >> 1;
    /* what came of such a mixture before */
    m->place = m->node * 33 + ((uint32_t)(logit + 2048 + 64) >> 7);
    int32_t p = (48 * squash(logit) + m->final[m->place]) >> 2;
    return (uint32_t)(p < 8 ? 8 : p > 65528 ? 65528 : p);
}

static void symbols_learn(Symbols *m, uint32_t bit) {
    int32_t target = bit ? 65535 : 0;
    for (int i = 0; i < m->contexts; i++) {
        Slot *slot = m->found[i];
        int64_t miss = target - slot->chance;
        slot->chance = (uint16_t)(slot->chance + (miss * m->step[slot->met] >> 16));
        slot->met = (uint16_t)(slot->met + (slot->met < m->limits[i]));
    }
    for (int s = 0; s < 2; s++) {
        int32_t miss = ((int32_t)(bit << 12) - squash(m->guess[s])) * m->rate;
        int32_t *restrict w = m->weights[s ? m->node : 0];
        const int32_t *restrict inputs = m->inputs;
        for (int i = 0, count = m->inputs_before + 1; i < count; i++)
            w[i] += (int32_t)(((int64_t)inputs[i] * miss + 32768) >> 16);
    }
    for (int k = 0; k < 2; k++) { /* the half that the bit chose */
        Regression *g = &m->regression;
        *(bit ? &g->from[k] : &g->to[k]) = g->middle[k];
    }
    m->final[m->place] = (uint16_t)(m->final[m->place] + ((target - m->final[m->place]) >> 6));
    m->node = m->node << 1 | bit;
    m->left--;
    symbols_pass(m);
}

static uint32_t symbols_end(Symbols *m) {
    uint32_t symbol = m->node - (1u << m->bits);
    memmove(m->last + 1, m->last, 5 * sizeof m->last[0]);
    m->last[0] = symbol;
    m->level += (uint64_t)m->starts[symbol];
    if (m->regression.middles)
        regression_learn(&m->regression, symbol);
    for (int i = 0; i < m->contexts; i++)
        if (m->recent[i])
            m->recent[i][m->recent_place[i]] = (uint16_t)(symbol + 1);
    int64_t number = (int64_t)symbol * 256, level = (int64_t)symbols_level(m) * 256;
    m->mean = m->starts_means ? number : m->mean + ((number - m->mean) >> 3);
    m->mean_level = m->starts_means ? level : m->mean_level + ((level - m->mean_level) >> 3);
    m->starts_means = 0;
    return symbol;
}

/* Code symbols into bytes, or, with costs, count the bits of each; how many bytes, or a status. */
static Py_ssize_t symbols_code(Symbols *m, const uint16_t *symbols, uint8_t *to, Py_ssize_t room,
                               double *costs) {
    uint32_t low = 0, high = UINT32_MAX;
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < m->count && (costs || at < room); i++) {
        if (symbols[i] >= m->alphabet)
            return -1;
        double cost = 0;
        for (symbols_begin(m, i); m->left;) {
            uint32_t bit = symbols[i] >> (m->left - 1) & 1, chance = symbols_chance(m);
            if (costs)
                cost += 16 - log2(bit ? chance : 65536 - chance);
            uint32_t middle = low + (uint32_t)((uint64_t)(high - low) * chance >> 16);
            if (bit)
                high = middle;
            else
                low = middle + 1;
            for (; !((low ^ high) >> 24); low <<= 8, high = high << 8 | 255)
                if (!costs && at < room)
                    to[at++] = (uint8_t)(high >> 24);
            symbols_learn(m, bit);
        }
        symbols_end(m);
        if (costs)
            costs[i] = cost;
    }
    if (costs)
        return 0;
    for (; low && at < room; low <<= 8, high = high << 8 | 255) {
        uint32_t top = (low >> 24) + 1;
        if (top << 24 > low && top << 24 <= high) {
            to[at++] = (uint8_t)top;
            break;
        }
        to[at++] = (uint8_t)(low >> 24);
    }
    return at < room ? at : -1;
}

static PyObject *symbols_to(PyObject *args, int counts) {
    Py_buffer symbols, bases, settings, starts, numbers, out;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*w*", &symbols, &bases, &settings, &starts, &numbers,
                          &out))
        return NULL;
    Py_ssize_t count = symbols.len / 2, size = counts && out.len != 8 * count ? -1 : 0;
    Symbols *m = calloc(1, sizeof *m);
    if (!m)
        size = -2;
    Py_BEGIN_ALLOW_THREADS
    if (!size)
        size = symbols_make(m, &bases, &settings, &starts, &numbers, count);
    if (!size)
        size = symbols_code(m, symbols.buf, out.buf, out.len, counts ? out.buf : NULL);
    if (m)
        symbols_free(m);
    Py_END_ALLOW_THREADS
    free(m);
    PyBuffer_Release(&symbols);
    PyBuffer_Release(&bases);
    PyBuffer_Release(&settings);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&numbers);
    PyBuffer_Release(&out);
    if (size == -2)
        return PyErr_NoMemory();
    if (size == -1)
        return bad("mixed symbols: arguments out of range");
    return PyLong_FromSsize_t(size);
}

/* mix_symbols(symbols u16, bases u32, settings i32, starts i64, numbers i32, out u8) -> bytes
 * written; numbers: middles, edges, regressors, or nothing */
static PyObject *mix_symbols(PyObject *self, PyObject *args) {
    (void)self;
    return symbols_to(args, 0);
}

/* mix_symbol_costs(symbols, bases, settings, starts, numbers, out f64): bits of each symbol */
static PyObject *mix_symbol_costs(PyObject *self, PyObject *args) {
    (void)self;
    return symbols_to(args, 1);
}

/* unmix_symbols(data, bases, settings, starts, numbers, out u16): what mix_symbols made data of */
static PyObject *unmix_symbols(PyObject *self, PyObject *args) {
    Py_buffer data, bases, settings, starts, numbers, out;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*y*y*w*", &data, &bases, &settings, &starts, &numbers, &out))
        return NULL;
    Symbols *m = calloc(1, sizeof *m);
    int status = m ? 0 : -2;
    Py_BEGIN_ALLOW_THREADS
    if (!status)
        status = symbols_make(m, &bases, &settings, &starts, &numbers, out.len / 2);
    if (!status) {
        uint32_t low = 0, high = UINT32_MAX, code = 0;
        const uint8_t *from = data.buf;
        uint16_t *to = out.buf;
        Py_ssize_t at = 0;
        for (; at < 4; at++)
            code = code << 8 | (at < data.len ? from[at] : 0u);
        for (Py_ssize_t i = 0; i < m->count; i++) {
            for (symbols_begin(m, i); m->left;) {
                uint32_t middle = low + (uint32_t)((uint64_t)(high - low) * symbols_chance(m) >> 16);
                uint32_t bit = code <= middle;
                if (bit)
                    high = middle;
                else
                    low = middle + 1;
                for (; !((low ^ high) >> 24); low <<= 8, high = high << 8 | 255, at++)
                    code = code << 8 | (at < data.len ? from[at] : 0u);
                symbols_learn(m, bit);
            }
            to[i] = (uint16_t)symbols_end(m);
        }
    }
    if (m)
        symbols_free(m);
    Py_END_ALLOW_THREADS
    free(m);
    PyBuffer_Release(&data);
    PyBuffer_Release(&bases);
    PyBuffer_Release(&settings);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&numbers);
    PyBuffer_Release(&out);
    if (status == -2)
        return PyErr_NoMemory();
    if (status)
        return bad("mixed symbols: arguments out of range");
    Py_RETURN_NONE;
}

/* ---- fields of floats: natives/extrapolation.py ----------------------------------------- */

/* Every float64 has to be rounded where it is computed: not where registers hold more digits, nor
 * where the compiler was told that order does not matter. There the reference does the work. */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0 && !defined(__FAST_MATH__)
#define EXTRAPOLATES

#define MAX_AXES 4
#define MAX_ORDER 3

/* one axis along which values are extrapolated */
typedef struct {
    Py_ssize_t order, side, stride;
    Py_ssize_t place, until; /* along the axis, and values until the next place */
    double *rest;            /* a ring: what the axes before leave of the last values */
    size_t mask;
    double told;
} Axis;

/* Sums and differences of two doubles alone, in the order of the reference: with no product there
 * is nothing that could be fused. */
static double axis_told(const Axis *axis, size_t at) {
    Py_ssize_t count = axis->place < axis->order ? axis->place : axis->order;
    if (!count)
        return 0.0;
    size_t stride = (size_t)axis->stride;
    double a = axis->rest[(at - stride) & axis->mask];
    if (count == 1)
        return a;
    double b = axis->rest[(at - 2 * stride) & axis->mask];
    double d = a - b;
    if (count == 2)
        return a + d;
    double c = axis->rest[(at - 3 * stride) & axis->mask];
    double e = b - c;
    double f = d - e;
    double g = d + f;
    return a + g;
}

static double axes_predict(Axis *axes, int count, size_t at) {
    double total = 0.0;
    for (int k = count - 1; k >= 0; k--) {
        axes[k].told = axis_told(axes + k, at);
        total = k == count - 1 ? axes[k].told : axes[k].told + total;
    }
    return total;
}

static void axes_learn(Axis *axes, int count, size_t at, double value) {
    for (int k = 0; k < count; k++) {
        Axis *axis = axes + k;
        axis->rest[at & axis->mask] = value;
        value = value - axis->told;
        if (!--axis->until) {
            axis->until = axis->stride;
            if (++axis->place == axis->side)
                axis->place = 0;
        }
    }
}

/* whole numbers in the order of floats, for their bits, and the bits again */
static uint32_t in_order32(uint32_t bits) {
    return bits >> 31 ? bits ^ 0x7FFFFFFFu : bits;
}

static uint64_t in_order64(uint64_t bits) {
    return bits >> 63 ? bits ^ 0x7FFFFFFFFFFFFFFFu : bits;
}

static void extrapolate32(const uint32_t *from, uint32_t *to, Py_ssize_t n, Axis *axes, int count,
                          Py_ssize_t line, int restoring) {
    for (Py_ssize_t i = 0; i < n; i++) {
        float value = (float)axes_predict(axes, count, (size_t)i);
        uint32_t bits, before = 0;
        memcpy(&bits, &value, 4);
        if ((bits & 0x7F800000u) == 0x7F800000u) {
            if (i % line)
                before = restoring ? to[i - 1] : from[i - 1];
            bits = before;
        }
        uint32_t predicted = in_order32(bits);
        if (restoring)
            to[i] = bits = in_order32(predicted + from[i]);
        else {
            bits = from[i];
            to[i] = in_order32(bits) - predicted;
        }
        memcpy(&value, &bits, 4);
        axes_learn(axes, count, (size_t)i, (double)value);
    }
}

static void extrapolate64(const uint64_t *from, uint64_t *to, Py_ssize_t n, Axis *axes, int count,
                          Py_ssize_t line, int restoring) {
    for (Py_ssize_t i = 0; i < n; i++) {
        double value = axes_predict(axes, count, (size_t)i);
        uint64_t bits, before = 0;
        memcpy(&bits, &value, 8);
        if ((bits & 0x7FF0000000000000u) == 0x7FF0000000000000u) {
            if (i % line)
                before = restoring ? to[i - 1] : from[i - 1];
            bits = before;
        }
        uint64_t predicted = in_order64(bits);
        if (restoring)
            to[i] = bits = in_order64(predicted + from[i]);
        else {
            bits = from[i];
            to[i] = in_order64(bits) - predicted;
        }
        memcpy(&value, &bits, 8);
        axes_learn(axes, count, (size_t)i, value);
    }
}

/* the axes of order 1 and more; their number, -1 for what makes no sense, -2 without memory */
static int axes_make(Axis *axes, const int64_t *params, Py_ssize_t size, Py_ssize_t n) {
    if (size < 4 || (params[0] != 32 && params[0] != 64) || params[1] < 1 ||
        params[1] > MAX_AXES || size != 2 + 2 * params[1])
        return -1;
    Py_ssize_t all = (Py_ssize_t)params[1], stride = 1;
    int count = 0;
    for (Py_ssize_t k = all - 1; k >= 0; k--) {
        int64_t side = params[2 + k], order = params[2 + all + k];
        if (side < 1 || side > n / stride || order < 0 || order > MAX_ORDER)
            return -1;
        stride *= (Py_ssize_t)side;
    }
    if (stride != n)
        return -1;
    for (Py_ssize_t k = 0; k < all; k++) {
        stride /= (Py_ssize_t)params[2 + k];
        if (!params[2 + all + k])
            continue;
        Axis *axis = axes + count;
        axis->order = (Py_ssize_t)params[2 + all + k];
        axis->side = (Py_ssize_t)params[2 + k];
        axis->stride = axis->until = stride;
        /* no more than there are values, and what lies `order` places back must still be there */
        size_t room = 1;
        while (room < (size_t)n && room < (size_t)(axis->order * stride + 1))
            room *= 2;
        axis->mask = room - 1;
        count++;
        axis->rest = malloc(room * sizeof(double));
        if (!axis->rest)
            return -2;
    }
    return count ? count : -1;
}

/* extrapolate(whole, out, params i64, restoring): residuals of the bits of floats, or back.
 * params: bits of a value, axes, sides..., orders... */
static PyObject *extrapolate(PyObject *self, PyObject *args) {
    Py_buffer from, to, params;
    int restoring;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*y*p", &from, &to, &params, &restoring))
        return NULL;
    Axis axes[MAX_AXES];
    memset(axes, 0, sizeof axes);
    const int64_t *param = params.buf;
    Py_ssize_t size = params.len / 8;
    Py_ssize_t width = size && param[0] == 32 ? 4 : 8;
    Py_ssize_t n = from.len / width;
    int count = 0;
    if (from.len != to.len || n * width != from.len || size * 8 != params.len)
        count = -1;
    else if (n)
        count = axes_make(axes, param, size, n);
    if (count > 0) {
        Py_ssize_t line = (Py_ssize_t)param[1 + param[1]];
        Py_BEGIN_ALLOW_THREADS
        if (width == 4)
            extrapolate32(from.buf, to.buf, n, axes, count, line, restoring);
        else
            extrapolate64(from.buf, to.buf, n, axes, count, line, restoring);
        Py_END_ALLOW_THREADS
    }
    for (int k = 0; k < MAX_AXES; k++)
        free(axes[k].rest);
    PyBuffer_Release(&from);
    PyBuffer_Release(&to);
    PyBuffer_Release(&params);
    if (count == -1)
        return bad("extrapolate: arguments out of range");
    if (count == -2)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}
#endif

#include "_pixels.h"

/* ---- filters of pictures: picture_filters.py ------------------------------------------- */

#define FILTER_FAR 24     /* neighbours of a filter: 8 at most 1 away, 24 at most 2 */
#define FILTER_CLASSES 5  /* of a value */
#define FILTER_ENDS 11    /* classes of a difference */

typedef struct {
    const uint16_t *values; /* (n, height, width) */
    const uint8_t *lut;     /* class of each difference, -most .. most */
    Py_ssize_t height, width, most, neighbours, size;
    int down[FILTER_FAR], right[FILTER_FAR];
} Filtered;

/* The neighbours, the nearest ring first; 0 where an argument is out of range. */
static int filter_begin(Filtered *f, const Py_buffer *values, const Py_buffer *lut) {
    int count = 0;
    for (int ring = 1; ring <= 2; ring++)
        for (int down = -ring; down <= ring; down++)
            for (int right = -ring; right <= ring; right++)
                if (abs(down) == ring || abs(right) == ring) {
                    f->down[count] = down;
                    f->right[count++] = right;
                }
    f->values = values->buf;
    f->lut = lut->buf;
    f->size = values->len / 2;
    if (f->height < 1 || f->width < 1 || f->most < 1 || f->most > 65535 ||
        (f->neighbours != 8 && f->neighbours != FILTER_FAR) ||
        lut->len != 2 * f->most + 1 || f->size % f->width || f->size / f->width % f->height)
        return 0;
    for (Py_ssize_t i = 0; i < lut->len; i++)
        if (f->lut[i] >= FILTER_ENDS)
            return 0;
    for (Py_ssize_t i = 0; i < f->size; i++)
        if (f->values[i] > f->most)
            return 0;
    return 1;
}

/* The place of each neighbour's correction among those of the value's class. */
static void filter_places(const Filtered *f, Py_ssize_t i, int32_t *places) {
    Py_ssize_t x = i % f->width, row = i / f->width, y = row % f->height;
    const uint16_t *picture = f->values + (row - y) * f->width;
    int32_t value = f->values[i];
    for (int j = 0; j < f->neighbours; j++) {
        Py_ssize_t yy = y + f->down[j], xx = x + f->right[j];
        /* beyond an edge stands the value at the edge */
        yy = yy < 0 ? 0 : yy >= f->height ? f->height - 1 : yy;
        xx = xx < 0 ? 0 : xx >= f->width ? f->width - 1 : xx;
        int32_t difference = (int32_t)picture[yy * f->width + xx] - value;
        places[j] = 1 + j * FILTER_ENDS + f->lut[difference + f->most];
    }
}

/* filter_totals(values u16, classes u8, lut u8, height, width, most, neighbours, tables i8,
 * totals i32): the sum of the corrections of each value. */
static PyObject *filter_totals(PyObject *self, PyObject *args) {
    Py_buffer values, classes, lut, tables, totals;
    Filtered f;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*nnnny*w*", &values, &classes, &lut, &f.height, &f.width,
                          &f.most, &f.neighbours, &tables, &totals))
        return NULL;
    int ok = filter_begin(&f, &values, &lut);
    Py_ssize_t columns = 1 + f.neighbours * FILTER_ENDS;
    const uint8_t *of_value = classes.buf;
    ok = ok && tables.len == FILTER_CLASSES * columns && totals.len == 4 * f.size &&
         classes.len == f.size;
    for (Py_ssize_t i = 0; ok && i < f.size; i++)
        ok = of_value[i] < FILTER_CLASSES;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int32_t *total = totals.buf, places[FILTER_FAR];
        for (Py_ssize_t i = 0; i < f.size; i++) {
            const int8_t *table = (const int8_t *)tables.buf + of_value[i] * columns;
            filter_places(&f, i, places);
            int32_t sum = table[0];
            for (int j = 0; j < f.neighbours; j++)
                sum += table[places[j]];
            total[i] = sum;
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&classes);
    PyBuffer_Release(&lut);
    PyBuffer_Release(&tables);
    PyBuffer_Release(&totals);
    if (!ok)
        return bad("filter_totals: arguments out of range");
    Py_RETURN_NONE;
}

/* filter_equations(values u16, lut u8, height, width, most, wanted i64, places i64, gram i64,
 * moments i64): to gram is added how often two columns are met together at the places,
 * to moments what is wanted where each is met. */
static PyObject *filter_equations(PyObject *self, PyObject *args) {
    Py_buffer values, lut, wanteds, taught, grams, moments;
    Filtered f;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nnny*y*w*w*", &values, &lut, &f.height, &f.width, &f.most,
                          &wanteds, &taught, &grams, &moments))
        return NULL;
    f.neighbours = FILTER_FAR;
    int ok = filter_begin(&f, &values, &lut);
    Py_ssize_t columns = 1 + FILTER_FAR * FILTER_ENDS, n = taught.len / 8;
    const int64_t *wanted = wanteds.buf, *place = taught.buf;
    ok = ok && wanteds.len == 8 * f.size && grams.len == 8 * columns * columns &&
         moments.len == 8 * columns;
    for (Py_ssize_t k = 0; ok && k < n; k++)
        ok = place[k] >= 0 && place[k] < f.size;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        int64_t *gram = grams.buf, *moment = moments.buf;
        int32_t met[FILTER_FAR + 1];
        met[0] = 0; /* the constant */
        for (Py_ssize_t k = 0; k < n; k++) {
            filter_places(&f, place[k], met + 1);
            for (int a = 0; a <= FILTER_FAR; a++) {
                int64_t *row = gram + met[a] * columns;
                moment[met[a]] += wanted[place[k]];
                for (int b = 0; b <= FILTER_FAR; b++)
                    row[met[b]]++;
            }
        }
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&values);
    PyBuffer_Release(&lut);
    PyBuffer_Release(&wanteds);
    PyBuffer_Release(&taught);
    PyBuffer_Release(&grams);
    PyBuffer_Release(&moments);
    if (!ok)
        return bad("filter_equations: arguments out of range");
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"filter_totals", filter_totals, METH_VARARGS, NULL},
    {"filter_equations", filter_equations, METH_VARARGS, NULL},
    {"code_pixels", code_pixels, METH_VARARGS, NULL},
    {"decode_pixels", decode_pixels, METH_VARARGS, NULL},
    {"repeats", repeats, METH_VARARGS, NULL},
    {"forward", forward, METH_VARARGS, NULL},
    {"push", push, METH_VARARGS, NULL},
    {"decode", decode, METH_VARARGS, NULL},
    {"fields", fields, METH_VARARGS, NULL},
    {"begins", begins, METH_VARARGS, NULL},
    {"numbers", numbers, METH_VARARGS, NULL},
    {"levels", levels, METH_VARARGS, NULL},
    {"moments", moments, METH_VARARGS, NULL},
    {"scan", scan, METH_VARARGS, NULL},
    {"write", write_numbers, METH_VARARGS, NULL},
    {"weave", weave, METH_VARARGS, NULL},
    {"records", records, METH_VARARGS, NULL},
    {"same", same, METH_VARARGS, NULL},
    {"search", search, METH_VARARGS, NULL},
    {"pack", pack, METH_VARARGS, NULL},
    {"unpack", unpack, METH_VARARGS, NULL},
    {"mix", mix_text, METH_VARARGS, NULL},
    {"unmix", unmix_text, METH_VARARGS, NULL},
    {"mix_costs", mix_costs, METH_VARARGS, NULL},
    {"mix_symbols", mix_symbols, METH_VARARGS, NULL},
    {"unmix_symbols", unmix_symbols, METH_VARARGS, NULL},
    {"mix_symbol_costs", mix_symbol_costs, METH_VARARGS, NULL},
#ifdef EXTRAPOLATES
    {"extrapolate", extrapolate, METH_VARARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "aetool.codec._kernel",
                                    "Hot loops of the codec.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) {
    px_tables();
    return PyModule_Create(&module);
}
