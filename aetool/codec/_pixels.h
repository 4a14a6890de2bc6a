/* Pictures as bits that are mixed from many contexts: picture_coding.py is the norm, and says what
 * everything is for; the same names mean the same there. Whole numbers alone. */

#include <stddef.h>

#define PX_MOST_CONTEXTS 31 /* and a constant: with 32 inputs no sum leaves 32 bits */
#define PX_MOST_SELECTORS 8
#define PX_MOST_TERMS 6
#define PX_MOST_PLANES 4
#define PX_PREDICTORS 9
#define PX_TERMS 24 /* of the linear prediction */
#define PX_PAD 3
#define PX_NODES 64
#define PX_SETS 4096 /* of weights, for each selector */

#ifdef __GNUC__
#define PX_FETCH(place) __builtin_prefetch(place, 1)
#else
#define PX_FETCH(place) ((void)0)
#endif

enum {
    PX_PREDICTED, PX_PREDICTED_COARSE, PX_X, PX_Y, PX_ENERGY, PX_ENERGY_FINE, PX_TEXTURE, PX_SPREAD,
    PX_ENDS, PX_W_EXACT, PX_N_EXACT, PX_REPEATED,
    PX_W, PX_N, PX_NW, PX_NE, PX_WW, PX_NN, PX_BEFORE, PX_LINEAR, PX_MEDIAN, PX_PLANE,
    PX_ERROR_W, PX_ERROR_N, PX_ERROR_BEFORE, PX_ERROR_FIRST, PX_ERROR_SECOND, PX_FIRST,
    PX_W_COARSE, PX_N_COARSE, PX_NW_COARSE, PX_NE_COARSE, PX_FEATURES
};

static const uint16_t px_squash_nodes[33] = {
    1, 1, 1, 1, 2, 3, 4, 5, 8, 11, 17,
    24, 35, 51, 75, 109, 158, 230, 335, 487, 708, 1026,
    1484, 2141, 3073, 4384, 6199, 8659, 11898, 16008, 20983, 26672, 32768};

static const uint8_t px_thresholds[15] = {1, 2, 3, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 90, 130};
static const uint8_t px_coarse[16] = {0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7};

static uint16_t px_squash[4096];
static int16_t px_stretch[4096];
static uint8_t px_class[131];
static uint32_t px_rate[256];
static uint32_t px_reciprocal[4096];

/* Once, when the module is loaded. */
static void px_tables(void) {
    for (int s = 0; s < 4096; s++) {
        int node = s >> 6, part = s & 63;
        uint32_t low = node <= 32 ? px_squash_nodes[node] : 65536u - px_squash_nodes[64 - node];
        uint32_t high = node < 32 ? px_squash_nodes[node + 1] : 65536u - px_squash_nodes[63 - node];
        uint32_t p = (low * (64 - (uint32_t)part) + high * (uint32_t)part + 32) >> 6;
        px_squash[s] = (uint16_t)(p > 65535 ? 65535 : p);
    }
    for (int p = 0, s = 0; p < 4096; p++) {
        while (s < 4095 && px_squash[s] < 16 * p + 8)
            s++;
        px_stretch[p] = (int16_t)(s - 2048);
    }
    for (int a = 0, q = 0; a < 131; a++) {
        while (q < 15 && a >= px_thresholds[q])
            q++;
        px_class[a] = (uint8_t)q;
    }
    for (uint32_t n = 0; n < 256; n++)
        px_rate[n] = 131072 / (2 * n + 3);
    for (uint32_t s = 1; s < 4096; s++)
        px_reciprocal[s] = (1u << 24) / s;
}

typedef struct {
    int count, planes, height, width, most, bits; /* most: the largest value */
    int bound, step; /* a restored value is at most bound off; step = 2 bound + 1 */
    int contexts, selectors, inputs, limit, rate;
    const uint8_t *context; /* of each, how many terms, and which features they are */
    const uint8_t *selector;
    uint32_t *counters;
    int16_t *weights;
    int32_t *last; /* weights of the last mixer */
    /* the coder */
    int decoding, failed;
    uint32_t low, high, code;
    const uint8_t *from, *from_end;
    uint8_t *to, *to_end;
    /* of the pixel at hand */
    uint32_t hash[PX_MOST_CONTEXTS];
    uint32_t *line[PX_MOST_CONTEXTS];
    int chosen[PX_MOST_SELECTORS];
} Px;

static inline int px_clip(int64_t v, int64_t low, int64_t high) {
    return (int)(v < low ? low : v > high ? high : v);
}

static inline uint8_t px_byte(Px *m) {
    uint8_t byte = m->from < m->from_end ? *m->from : 0;
    m->from++;
    return byte;
}

static void px_lines(Px *m, uint32_t key) {
    for (int i = 0; i < m->contexts; i++) {
        uint32_t slot = ((m->hash[i] + key) * 0x9E3779B1u) >> (32 - m->bits);
        m->line[i] = m->counters + ((size_t)i << m->bits) + (slot & ~15u);
        PX_FETCH(m->line[i]);
    }
}

/* Codes one bit, or decodes it; returns it. slot: in the lines; node: which kind of decision. */
static inline int px_bit(Px *m, int slot, int node, int bit, const int inputs) {
    int16_t in[32];
    uint32_t *counter[PX_MOST_CONTEXTS];
    int contexts = m->contexts, sets = m->selectors + 1;
    for (int i = 0; i < contexts; i++) {
        counter[i] = m->line[i] + slot;
        uint32_t c = *counter[i], n = c & 255;
        int s = px_stretch[c >> 20];
        in[i] = (int16_t)(n < 4 ? s * (int)n >> 2 : s);
    }
    in[contexts] = 256;
    for (int i = contexts + 1; i < inputs; i++)
        in[i] = 0;
    int16_t *weights[PX_MOST_SELECTORS + 1];
    int out[PX_MOST_SELECTORS + 1];
    int64_t sum = 0;
    int32_t *last = m->last + node * sets;
    for (int k = 0; k < sets; k++) {
        int set = k ? m->chosen[k - 1] * 16 + (node < 15 ? node : 15) : node;
        int16_t *w = m->weights + ((size_t)k * PX_SETS + (size_t)set) * (size_t)inputs;
        int32_t a = 0;
        for (int i = 0; i < inputs; i++)
            a += (int32_t)in[i] * w[i];
        weights[k] = w;
        out[k] = px_clip(a >> 13, -2047, 2047);
        sum += (int64_t)last[k] * out[k];
    }
    uint32_t p = px_squash[px_clip(sum >> 16, -2047, 2047) + 2048];
    /* the coder: an interval low .. high that is cut by p */
    uint32_t range = m->high - m->low;
    uint32_t middle = m->low + (range >> 16) * p + (((range & 65535) * p) >> 16);
    if (m->decoding)
        bit = m->code <= middle;
    if (bit)
        m->high = middle;
    else
        m->low = middle + 1;
    while ((m->low ^ m->high) < 1u << 24) {
        if (m->decoding)
            m->code = m->code << 8 | px_byte(m);
        else if (m->to < m->to_end)
            *m->to++ = (uint8_t)(m->high >> 24);
        else
            m->failed = 1;
        m->low <<= 8;
        m->high = m->high << 8 | 255;
    }
    /* learning */
    int truth = bit << 16, error = (truth - (int)p) * 2;
    for (int k = 0; k < sets; k++) {
        last[k] = px_clip(last[k] + (((int64_t)out[k] * error + (1 << 17)) >> 18), -(1 << 20), 1 << 20);
        int32_t e = ((truth - (int)px_squash[out[k] + 2048]) * m->rate) >> 5;
        int16_t *w = weights[k];
        for (int i = 0; i < inputs; i++) {
            int32_t v = w[i] + ((in[i] * e + 32768) >> 16);
            w[i] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
        }
    }
    for (int i = 0; i < contexts; i++) {
        uint32_t c = *counter[i], n = c & 255, q = c >> 10;
        uint32_t target = bit ? (1u << 22) - 1 : 0;
        if (bit)
            q += (uint32_t)(((uint64_t)(target - q) * px_rate[n]) >> 16);
        else
            q -= (uint32_t)(((uint64_t)q * px_rate[n]) >> 16);
        *counter[i] = q << 10 | (n + (n < (uint32_t)m->limit));
    }
    return bit;
}

/* The number of steps that comes nearest to a distance of 0 or more. */
static inline int px_steps(const Px *m, int distance) {
    return m->bound ? (distance + m->bound) / m->step : distance;
}

/* The value as it is restored, coded by its distance from the predicted one: none, side, steps. */
static inline int px_value(Px *m, int predicted, int value, const int inputs) {
    int distance = value - predicted, negative, k = 0;
    int magnitude = px_steps(m, distance < 0 ? -distance : distance);
    int below = px_steps(m, predicted), above = px_steps(m, m->most - predicted);
    if (!below && !above)
        return predicted;
    px_lines(m, 0);
    if (px_bit(m, 0, 0, magnitude == 0, inputs))
        return predicted;
    if (!below)
        negative = 0;
    else if (!above)
        negative = 1;
    else
        negative = px_bit(m, 1, 1, distance < 0, inputs);
    int largest = negative ? below : above;
    while (2 << k <= largest) {
        int node = 2 + 7 * negative + (k < 6 ? k : 6);
        if (!px_bit(m, node, node, magnitude >= 2 << k, inputs))
            break;
        k++;
    }
    int result = 1 << k;
    if (k) {
        uint32_t key = 1 + 32 * (uint32_t)negative + (uint32_t)k, slot = 1;
        px_lines(m, key);
        for (int b = k - 1, depth = 0; b >= 0; b--, depth++) {
            if (depth && !(depth & 3)) {
                key = key * 64 + slot;
                px_lines(m, key);
                slot = 1;
            }
            int bit = 0;
            if (result + (1 << b) <= largest) {
                int node = 16 + 4 * (k < 7 ? k : 7) + (depth < 3 ? depth : 3);
                bit = px_bit(m, (int)slot, node, magnitude >> b & 1, inputs);
            }
            slot = 2 * slot + (uint32_t)bit;
            result += bit << b;
        }
    }
    result *= m->step;
    return px_clip(negative ? predicted - result : predicted + result, 0, m->most);
}

/* The values of one plane about a pixel. */
typedef struct {
    int w, n, nw, ne, ww, nn, nne, nnw, nee, nww, nnn, www;
} PxAbout;

/* row: of the pixel, with PX_PAD values before and behind; the rows above lie `stride` before. */
static inline void px_about(const int32_t *row, ptrdiff_t stride, int x, int y, PxAbout *a) {
    const int32_t *p = row + x;
    a->w = p[-1], a->ww = p[-2], a->www = p[-3];
    if (!y) {
        a->n = a->nw = a->ne = a->nn = a->nne = a->nnw = a->nee = a->nww = a->nnn = a->w;
        return;
    }
    const int32_t *q = p - stride;
    a->n = q[0], a->nw = q[-1], a->ne = q[1], a->nee = q[2], a->nww = q[-2];
    if (y < 2) {
        a->nn = a->nnn = a->n, a->nne = a->ne, a->nnw = a->nw;
        return;
    }
    const int32_t *r = q - stride;
    a->nn = r[0], a->nne = r[1], a->nnw = r[-1];
    a->nnn = y < 3 ? a->nn : r[-stride];
}

static inline int px_median(int a, int b, int c) {
    int most = a > b ? a : b, least = a < b ? a : b;
    return c >= most ? least : c <= least ? most : a + b - c;
}

static inline int px_magnitude(int v) { return v < 0 ? -v : v; }

static inline int px_classed(int v, int shift) {
    int a = px_magnitude(v) >> shift, q = px_class[a > 130 ? 130 : a];
    return v < 0 ? -q : q;
}

static inline int px_coarsely(int v, int shift) {
    int q = px_classed(v, shift);
    return q < 0 ? -px_coarse[-q] : px_coarse[q];
}

static uint32_t px_hashed(const uint8_t *terms, int count, const int32_t *feature, uint32_t seed) {
    uint32_t h = seed;
    for (int t = 0; t < count; t++) {
        h = (h + (uint32_t)feature[terms[t]] + 1) * 0x2545F491u;
        h ^= h >> 15;
    }
    return h;
}

static int px_length(int v) {
    int bits = 0;
    while (v) {
        bits++;
        v >>= 1;
    }
    return bits;
}

/* values: of all pictures, (n, planes, height, width). Returns 0 where memory is short. */
static inline int px_run(Px *m, uint16_t *values, const int inputs) {
    int planes = m->planes, height = m->height, width = m->width, most = m->most;
    ptrdiff_t stride = width + 2 * PX_PAD, plane = stride * (height + 1), all = plane * planes;
    int shift = px_length(most) > 8 ? px_length(most) - 8 : 0;
    /* classes of differences are coarser where values are */
    int classes = shift + (m->bound ? px_length(m->bound) - 1 : 0);
    int steps_x = px_length(width - 1) > 6 ? px_length(width - 1) - 6 : 0;
    int steps_y = px_length(height - 1) > 6 ? px_length(height - 1) - 6 : 0;
    size_t missing = (size_t)planes * 2 * (size_t)stride;
    int32_t *memory = calloc((size_t)all * 4 + missing * PX_PREDICTORS, sizeof(int32_t));
    uint32_t *repeated = calloc((size_t)1 << 16, sizeof(uint32_t));
    if (!memory || !repeated) {
        free(memory);
        free(repeated);
        return 0;
    }
    /* values and errors of this picture and the one before, each with a row of zeros above it */
    int32_t *now = memory, *before = now + all, *error = before + all, *error_before = error + all;
    int32_t *missed = error_before + all;
    int32_t linear[PX_MOST_PLANES][PX_TERMS] = {{0}};
    for (int c = 0; c < planes; c++)
        linear[c][0] = linear[c][1] = 20000;
    for (int picture = 0; picture < m->count; picture++) {
        memset(missed, 0, missing * PX_PREDICTORS * sizeof(int32_t));
        for (int y = 0; y < height; y++) {
            ptrdiff_t row = stride * (y + 1) + PX_PAD;
            for (int c = 0; c < planes; c++) {
                int32_t *p = now + c * plane + row;
                for (int k = 1; k <= PX_PAD; k++) {
                    p[-k] = y ? p[-stride] : 0;
                    p[width - 1 + k - stride] = y ? p[width - 1 - stride] : 0;
                }
            }
            for (int x = 0; x < width; x++) {
                PxAbout of[PX_MOST_PLANES];
                int32_t told[PX_MOST_PLANES]; /* errors of the planes before, here */
                for (int c = 0; c < planes; c++) {
                    int32_t *here = now + c * plane + row + x;
                    int32_t *wrong = error + c * plane + row + x;
                    PxAbout a;
                    px_about(here - x, stride, x, y, &a);
                    of[c] = a;
                    int p = a.w, pw = a.w, pn = a.w, pe = a.w, ps = a.w;
                    if (picture) {
                        const int32_t *q = before + c * plane + row + x;
                        p = q[0];
                        pw = x ? q[-1] : p;
                        pe = x + 1 < width ? q[1] : p;
                        pn = y ? q[-stride] : p;
                        ps = y + 1 < height ? q[stride] : p;
                    }
                    /* predictions */
                    int64_t guess[PX_PREDICTORS];
                    int guesses = 0, first = 0, second = 0;
                    guess[guesses++] = px_median(a.w, a.n, a.nw);
                    guess[guesses++] = ((a.w + a.n) >> 1) + ((a.ne - a.nw) >> 2);
                    guess[guesses++] = a.w + a.ne - a.n;
                    guess[guesses++] = a.n + a.ne - a.nne;
                    guess[guesses++] = a.w + ((a.w - a.ww) >> 1);
                    if (m->count > 1)
                        guess[guesses++] = p + ((a.w - pw + a.n - pn) >> 1);
                    if (c > 0) {
                        first = now[row + x];
                        guess[guesses++] = first + ((a.w - of[0].w + a.n - of[0].n) >> 1);
                    }
                    if (c > 1) {
                        second = now[plane + row + x];
                        guess[guesses++] = second + ((a.w - of[1].w + a.n - of[1].n) >> 1);
                    }
                    int32_t term[PX_TERMS], *weight = linear[c];
                    int terms = 0;
                    term[terms++] = a.n - a.w;
                    term[terms++] = a.w - a.ww;
                    term[terms++] = a.nw - a.w;
                    term[terms++] = a.ne - a.w;
                    term[terms++] = a.nn - a.w;
                    term[terms++] = a.nne - a.w;
                    term[terms++] = a.nnw - a.w;
                    term[terms++] = a.nee - a.w;
                    term[terms++] = a.nww - a.w;
                    term[terms++] = a.nnn - a.w;
                    term[terms++] = a.www - a.w;
                    if (m->count > 1) {
                        term[terms++] = p - a.w;
                        term[terms++] = pw - a.w;
                        term[terms++] = pn - a.w;
                        term[terms++] = pe - a.w;
                        term[terms++] = ps - a.w;
                    }
                    if (c > 0) {
                        term[terms++] = first - of[0].w;
                        term[terms++] = of[0].n - of[0].w;
                        term[terms++] = of[0].nw - of[0].w;
                        term[terms++] = of[0].ne - of[0].w;
                    }
                    if (c > 1) {
                        term[terms++] = second - of[1].w;
                        term[terms++] = of[1].n - of[1].w;
                    }
                    int64_t sum = 32768, norm = 64;
                    for (int t = 0; t < terms; t++) {
                        sum += (int64_t)weight[t] * term[t];
                        norm += (int64_t)term[t] * term[t];
                    }
                    int by_line = px_clip(a.w + (sum >> 16), 0, most);
                    guess[guesses++] = by_line;
                    /* joined by how little each missed nearby */
                    int64_t total = 0, weighed = 0;
                    int least = most, largest = 0;
                    int32_t *miss = missed + c * 2 * stride + PX_PAD + x;
                    ptrdiff_t this_row = (y & 1) * stride, row_above = stride - this_row;
                    for (int k = 0; k < guesses; k++) {
                        int g = px_clip(guess[k], 0, most);
                        const int32_t *near = miss + this_row + (ptrdiff_t)missing * k;
                        const int32_t *above = miss + row_above + (ptrdiff_t)missing * k;
                        int64_t s = 2 * (int64_t)near[-1] + near[-2] + 2 * (int64_t)above[0] +
                                    above[-1] + above[1] + 1;
                        s >>= shift;
                        uint64_t r = px_reciprocal[s < 1 ? 1 : s > 4095 ? 4095 : s];
                        int64_t w = (int64_t)(r * r >> 16) + 1;
                        guess[k] = g;
                        total += w;
                        weighed += w * g;
                        least = g < least ? g : least;
                        largest = g > largest ? g : largest;
                    }
                    int predicted = (int)((weighed + total / 2) / total);
                    /* what stood here the last time that six neighbours were the same */
                    uint32_t mark = (uint32_t)c * 0x85EBCA6Bu;
                    const int seen[6] = {a.w, a.n, a.nw, a.ne, a.ww, a.nn};
                    for (int k = 0; k < 6; k++) {
                        mark = (mark + (uint32_t)seen[k] + 1) * 0x2545F491u;
                        mark ^= mark >> 15;
                    }
                    uint32_t *repeat = repeated + (mark * 0x9E3779B1u >> 16);
                    /* features */
                    int ew = wrong[-1], en = y ? wrong[-stride] : 0;
                    int enw = y ? wrong[-stride - 1] : 0, ene = y ? wrong[-stride + 1] : 0;
                    int errors = 2 * px_magnitude(ew) + 2 * px_magnitude(en) + px_magnitude(enw) +
                                 px_magnitude(ene);
                    int slopes = px_magnitude(a.w - a.nw) + px_magnitude(a.n - a.nw) +
                                 px_magnitude(a.n - a.ne) + px_magnitude(a.w - a.ww) +
                                 px_magnitude(a.n - a.nn);
                    int32_t f[PX_FEATURES];
                    f[PX_PREDICTED] = predicted;
                    f[PX_PREDICTED_COARSE] = predicted >> (shift + 4);
                    f[PX_X] = x >> steps_x;
                    f[PX_Y] = y >> steps_y;
                    f[PX_ENERGY] = px_coarsely((errors + slopes) / 6, classes);
                    f[PX_ENERGY_FINE] = 2 * px_classed((errors + 2 * slopes) >> 3, classes) +
                                        (errors > slopes);
                    f[PX_TEXTURE] = px_classed(slopes >> 1, classes);
                    f[PX_SPREAD] = px_classed(largest - least, classes);
                    int ends = 0;
                    const int about[8] = {a.w, a.n, a.nw, a.ne, a.ww, a.nn, a.nee, p};
                    for (int k = 0; k < 8; k++)
                        ends |= (about[k] == 0 || about[k] == most) << k;
                    f[PX_ENDS] = ends;
                    f[PX_W_EXACT] = a.w;
                    f[PX_N_EXACT] = a.n;
                    f[PX_REPEATED] = (int32_t)*repeat;
                    f[PX_W] = px_classed(a.w - predicted, classes);
                    f[PX_N] = px_classed(a.n - predicted, classes);
                    f[PX_NW] = px_classed(a.nw - predicted, classes);
                    f[PX_NE] = px_classed(a.ne - predicted, classes);
                    f[PX_WW] = px_classed(a.ww - predicted, classes);
                    f[PX_NN] = px_classed(a.nn - predicted, classes);
                    f[PX_BEFORE] = px_classed(p - predicted, classes);
                    f[PX_LINEAR] = px_classed(by_line - predicted, classes);
                    f[PX_MEDIAN] = px_classed((int)guess[0] - predicted, classes);
                    int other = c ? first + a.w - of[0].w : p;
                    f[PX_PLANE] = px_classed(other - predicted, classes);
                    f[PX_ERROR_W] = px_classed(ew, classes);
                    f[PX_ERROR_N] = px_classed(en, classes);
                    f[PX_ERROR_BEFORE] =
                        picture ? px_classed(error_before[c * plane + row + x], classes) : 0;
                    f[PX_ERROR_FIRST] = c > 0 ? told[0] : 0;
                    f[PX_ERROR_SECOND] = c > 1 ? told[1] : 0;
                    f[PX_FIRST] = first;
                    f[PX_W_COARSE] = px_coarsely(a.w - predicted, classes);
                    f[PX_N_COARSE] = px_coarsely(a.n - predicted, classes);
                    f[PX_NW_COARSE] = px_coarsely(a.nw - predicted, classes);
                    f[PX_NE_COARSE] = px_coarsely(a.ne - predicted, classes);
                    const uint8_t *terms_of = m->context;
                    for (int i = 0; i < m->contexts; i++) {
                        uint32_t seed = (uint32_t)(i + 1) * 0x9E3779B1u + (uint32_t)c * 0x85EBCA6Bu;
                        m->hash[i] = px_hashed(terms_of + 1, terms_of[0], f, seed);
                        terms_of += 1 + terms_of[0];
                    }
                    terms_of = m->selector;
                    for (int k = 0; k < m->selectors; k++) {
                        uint32_t v = (uint32_t)c;
                        for (int t = 1; t <= terms_of[0]; t++)
                            v = v * 19 + (uint32_t)f[terms_of[t]];
                        m->chosen[k] = (int)(v & 255);
                        terms_of += 1 + terms_of[0];
                    }
                    uint16_t *place = values +
                        (((ptrdiff_t)picture * planes + c) * height + y) * width + x;
                    int value = px_value(m, predicted, m->decoding ? 0 : *place, inputs);
                    if (m->decoding || m->bound)
                        *place = (uint16_t)value;
                    *here = value;
                    *wrong = told[c] = value - predicted;
                    *repeat = (uint32_t)value + 1;
                    for (int k = 0; k < guesses; k++)
                        miss[this_row + (ptrdiff_t)missing * k] =
                            px_magnitude(value - (int)guess[k]);
                    int64_t step = ((int64_t)(value - by_line) * (1 << 20)) / norm;
                    for (int t = 0; t < terms; t++)
                        weight[t] = px_clip(weight[t] + (step * term[t] >> 10), -(1 << 24), 1 << 24);
                }
            }
        }
        int32_t *swap = now;
        now = before, before = swap;
        swap = error, error = error_before, error_before = swap;
    }
    free(memory);
    free(repeated);
    return 1;
}

static int px_whole(Px *m, uint16_t *values) {
    /* the number of inputs is known to the compiler where it pays */
    return m->inputs == 8 ? px_run(m, values, 8) : px_run(m, values, m->inputs);
}

/* (values, params, lists, counters, weights, last, data): values are coded into data, or decoded from
 * it; coded within a bound they become the restored ones. params: i32 count, planes, height, width,
 * most, bits, limit, rate, contexts, selectors, inputs; and bound, if it is not 0. Returns how many bytes were written or read; -1 where there is no room for them. */
static PyObject *px_call(PyObject *args, int decoding) {
    Py_buffer values, params, lists, counters, weights, last, data;
    if (!PyArg_ParseTuple(args, decoding ? "w*y*y*w*w*w*y*" : "w*y*y*w*w*w*w*", &values, &params,
                          &lists, &counters, &weights, &last, &data))
        return NULL;
    Px *m = calloc(1, sizeof(Px));
    const int32_t *of = params.buf;
    int ok = m && (params.len == 11 * 4 || params.len == 12 * 4);
    if (ok) {
        m->count = of[0], m->planes = of[1], m->height = of[2], m->width = of[3], m->most = of[4];
        m->bits = of[5], m->limit = of[6], m->rate = of[7];
        m->contexts = of[8], m->selectors = of[9], m->inputs = of[10];
        m->bound = params.len == 12 * 4 ? of[11] : 0;
        m->counters = counters.buf, m->weights = weights.buf, m->last = last.buf;
        ok = m->count > 0 && m->planes > 0 && m->planes <= PX_MOST_PLANES && m->height > 0 &&
             m->width > 0 && m->most > 0 && m->most < 65536 && m->bound >= 0 &&
             m->bound < 65536 && m->bits >= 4 && m->bits <= 22 &&
             m->limit > 0 && m->limit < 256 && m->rate > 0 && m->rate <= 16 && m->contexts > 0 &&
             m->contexts <= PX_MOST_CONTEXTS && m->selectors >= 0 &&
             m->selectors <= PX_MOST_SELECTORS && m->inputs > m->contexts && m->inputs <= 32 &&
             (int64_t)m->height * m->width < 1 << 26 &&
             values.len / 2 / m->planes / m->height / m->width == m->count &&
             values.len % ((Py_ssize_t)2 * m->planes * m->height * m->width) == 0 &&
             counters.len == (Py_ssize_t)4 * m->contexts << m->bits &&
             weights.len == (Py_ssize_t)2 * (m->selectors + 1) * PX_SETS * m->inputs &&
             last.len == (Py_ssize_t)4 * (m->selectors + 1) * PX_NODES;
    }
    if (ok) {
        const uint8_t *p = lists.buf, *end = p + lists.len;
        m->context = p;
        for (int i = 0; ok && i < m->contexts + m->selectors; i++) {
            if (i == m->contexts)
                m->selector = p;
            ok = p < end && *p <= PX_MOST_TERMS && end - p > *p;
            for (int t = 1; ok && t <= *p; t++)
                ok = p[t] < PX_FEATURES;
            p += ok ? 1 + *p : 0;
        }
        ok = ok && p == end;
    }
    const uint16_t *value = values.buf;
    for (Py_ssize_t i = 0; ok && !decoding && i < values.len / 2; i++)
        ok = value[i] <= m->most;
    Py_ssize_t size = -1;
    int whole = 1;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        m->decoding = decoding;
        m->step = 2 * m->bound + 1;
        m->high = UINT32_MAX;
        m->to = data.buf, m->to_end = m->to + data.len;
        m->from = data.buf, m->from_end = m->from + data.len;
        if (decoding)
            for (int i = 0; i < 4; i++)
                m->code = m->code << 8 | px_byte(m);
        whole = px_whole(m, values.buf);
        if (decoding) {
            size = m->from - (const uint8_t *)data.buf - 3;
        } else if (m->to < m->to_end && !m->failed) {
            *m->to++ = (uint8_t)((m->low >> 24) + 1);
            size = m->to - (uint8_t *)data.buf;
        }
        Py_END_ALLOW_THREADS
    }
    free(m);
    PyBuffer_Release(&values);
    PyBuffer_Release(&params);
    PyBuffer_Release(&lists);
    PyBuffer_Release(&counters);
    PyBuffer_Release(&weights);
    PyBuffer_Release(&last);
    PyBuffer_Release(&data);
    if (!ok)
        return bad("pixels: arguments out of range");
    if (!whole)
        return PyErr_NoMemory();
    return PyLong_FromSsize_t(size);
}

static PyObject *code_pixels(PyObject *self, PyObject *args) {
    (void)self;
    return px_call(args, 0);
}

static PyObject *decode_pixels(PyObject *self, PyObject *args) {
    (void)self;
    return px_call(args, 1);
}
