"""The entropy coder beside one by others: constriction (Bamler 2022, arXiv:2201.01741).

Given the same probabilities it must take the same bits, and what it hands back one by one must be
enough to know the next probabilities: no table is told by anything that the decoder lacks.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aetool.codec import rans

constriction = pytest.importorskip("constriction", reason="it has no wheel for this Python")
WORD_BITS = 32  # of constriction's coder, whose state is two words
OWN_ENDS = 32  # bits of a state of ours, that are there even without a symbol


def model_of(frequencies):
    """constriction's model of a table of ours: it keeps 24 bits, ours has 14."""
    return constriction.stream.model.Categorical(frequencies / rans.TOTAL, perfect=False)


def bits_by_constriction(symbols, contexts, layout):
    """(bits that it takes, the symbols that it gives back, learning tables as they come)."""
    coder = constriction.stream.stack.AnsCoder()
    counts = np.zeros((layout.size, layout.alphabet), np.int64)
    tables = []
    for begin, end in rans.epochs(len(symbols), 1):
        tables.append((begin, end, rans.tables(counts, layout)))
        np.add.at(counts, (contexts[begin:end], symbols[begin:end]), 1)
    # a stack: what is pushed last comes out first
    for begin, end, table in reversed(tables):
        for place in range(end - 1, begin - 1, -1):
            coder.encode_reverse(
                symbols[place : place + 1].astype(np.int32), model_of(table[contexts[place]])
            )
    taken = coder.num_bits()
    counts[:] = 0
    back = np.empty_like(symbols)
    for begin, end in rans.epochs(len(symbols), 1):
        table = rans.tables(counts, layout)
        for place in range(begin, end):
            back[place] = coder.decode(model_of(table[contexts[place]]))
        np.add.at(counts, (contexts[begin:end], back[begin:end]), 1)
    return taken, back


@pytest.mark.parametrize("skew", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("radix", [1, 3])
def test_it_takes_the_bits_that_another_coder_takes(skew, radix):
    rng = np.random.default_rng(7)
    count, alphabet = 3000, 12
    contexts = rng.integers(0, radix, count)
    symbols = ((rng.geometric(skew, count) - 1 + contexts) % alphabet).astype(np.uint16)
    layout = rans.Contexts(alphabet, (radix,))
    base = contexts.astype(np.uint32)
    ours = rans.encode(symbols, base, layout, 1)
    assert (rans.decode(ours, count, base, layout, 1) == symbols).all()
    theirs, back = bits_by_constriction(symbols, contexts, layout)
    assert (back == symbols).all(), "tables follow from what was decoded"
    entropy = rans.cost(rans.forward(symbols, base, layout))
    assert entropy <= theirs <= entropy * 1.001 + 2 * WORD_BITS
    # words of 16 bits and 14 bits of precision cost little: states of 32 bits keep 18 to spare
    assert 8 * len(ours) <= theirs * 1.001 + OWN_ENDS + WORD_BITS


@settings(max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), st.integers(1, 60))
def test_any_symbols_are_known_from_those_before(values, strength):
    symbols = np.array(values, np.uint16)
    layout = rans.Contexts(5, (), strength)
    contexts = np.zeros(len(symbols), np.int64)
    theirs, back = bits_by_constriction(symbols, contexts, layout)
    assert (back == symbols).all()
    ours = 8 * len(rans.encode(symbols, None, layout, 1))
    # of few symbols only the ends differ: a state of 32 bits, and words of 16 or of 32
    assert abs(ours - theirs) <= 2 * WORD_BITS + OWN_ENDS


def test_its_floor_is_the_entropy_of_a_source():
    """Tables that have seen enough cost a symbol its -log2 p, within what 14 bits can say."""
    probabilities = np.array([0.7, 0.2, 0.06, 0.04])
    rng = np.random.default_rng(3)
    symbols = rng.choice(4, 60_000, p=probabilities).astype(np.uint16)
    shares = np.bincount(symbols, minlength=4) / len(symbols)
    entropy = -math.fsum(float(p) * math.log2(p) for p in shares)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(
        symbols.astype(np.int32), constriction.stream.model.Categorical(shares, perfect=False)
    )
    ours = 8 * len(rans.encode(symbols, None, rans.Contexts(4), 1))
    assert coder.num_bits() == pytest.approx(entropy * len(symbols), rel=1e-4, abs=2 * WORD_BITS)
    assert ours / coder.num_bits() < 1.002, "learning the table costs less than two in a thousand"
