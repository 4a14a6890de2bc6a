"""Networks of whole numbers give the same result however they are run."""

import dataclasses
import hashlib
import lzma

import numpy as np
import pytest

from aetool import kernel, operations
from aetool.bundle import CODEC
from aetool.codec import packing, planning, shared, students
from aetool.codec.archive import Archive
from aetool.errors import ArchiveError, BundleError
from aetool.exact import network, student
from aetool.exact.network import Layer
from aetool.operations import FitOptions
from tests.effort import measured

MOST_LINES, MOST_BYTES = 100_000, 600 << 20  # of reading a codec, unpacked up to 256 MiB


def sha(x):
    return hashlib.sha256(np.ascontiguousarray(x, np.int64).tobytes()).hexdigest()


def layers_of(rng, inputs=40, hidden=24, outputs=9, most=127):
    first = Layer(
        rng.integers(-most, most + 1, (inputs, hidden)), rng.integers(-500, 500, hidden), 3
    )
    return [
        first,
        Layer(rng.integers(-most, most + 1, (hidden, outputs)), rng.integers(-9, 9, outputs)),
    ]


def test_every_engine_gives_the_same_sha256():
    import torch

    rng = np.random.default_rng(0)
    layers = layers_of(rng)
    network.prove(layers)
    x = rng.integers(0, 2, (2049, 40))
    expected = sha(network.reference(layers, x))
    run = network.run_graph(network.graph(layers))
    for batch in (1, 37, 1024):
        cut = [x[i : i + batch] for i in range(0, len(x), batch)]
        assert sha(np.concatenate([network.in_floats(layers, part) for part in cut])) == expected
        assert sha(np.concatenate([run(part) for part in cut])) == expected
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        h = torch.tensor(x, dtype=torch.float64)
        for layer in layers:
            w, b = (torch.tensor(v) for v in network.folded(layer))
            h = h @ w + b
            if layer is layers[0]:
                h = torch.clip(torch.floor(h), 0, network.MOST)
        torch.set_num_threads(before)
        assert sha(h.numpy()) == expected


def test_the_proof_accepts_what_stays_exact_and_nothing_else():
    rng = np.random.default_rng(0)
    accepted = 0
    for _ in range(10_000):
        size = int(rng.integers(1, 5))
        scale = 2 ** int(rng.integers(0, 60))
        weight = rng.integers(-scale, scale + 1, (size, 2))
        bias = rng.integers(-scale, scale + 1, 2)
        worst = max(sum(abs(int(w)) for w in weight[:, j]) + abs(int(bias[j])) for j in range(2))
        layers = [Layer(weight, bias)]
        if worst >= 2**53:
            with pytest.raises(BundleError, match="beyond 2"):
                network.prove(layers)
            continue
        network.prove(layers)
        accepted += 1
        for x in (np.ones((1, size), np.int64), rng.integers(0, 2, (3, size))):
            assert (network.in_floats(layers, x) == network.reference(layers, x)).all()
    assert 5000 < accepted < 9900


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [Layer(np.ones((2, 3), np.int64), np.ones(2, np.int64))],
        [Layer(np.ones((2, 3), np.int64), np.ones(3, np.int64), 60)],
        [Layer(np.ones((2, 3), np.int64), np.ones(3, np.int64)), Layer(np.ones((4, 1), np.int64), np.ones(1, np.int64))],
        [Layer(np.full((2, 3), 2**62), np.ones(3, np.int64))],
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused(layers):
    with pytest.raises(BundleError):
        network.prove(layers)


def test_a_student_learns_what_a_table_of_pairs_cannot():
    rng = np.random.default_rng(0)
    marks = rng.integers(0, 2, (6000, 4))
    symbols = marks[:, 0] ^ marks[:, 1]  # neither alone says anything
    layers = student.train(marks, [2, 2, 2, 2], symbols, 2)
    network.prove(layers)
    x = student.places(marks, [2] * 4)
    verdict = student.verdicts(network.reference(layers, x, ones=True))
    dense = (x[:, :, None] == np.arange(8)).any(axis=1).astype(np.int64)
    for run in (network.reference, network.in_floats):
        assert (student.verdicts(run(layers, dense)) == verdict).all()
    assert (student.verdicts(network.in_floats(layers, x, ones=True)) == verdict).all()
    wrong = 0
    for v in np.unique(verdict):
        ones = symbols[verdict == v].mean()
        wrong += min(ones, 1 - ones) * (verdict == v).sum()
    assert wrong < 0.01 * len(symbols)


def sums(path, rows):
    """Ten columns of noise and their sum."""
    x = np.random.default_rng(rows).integers(0, 2, (rows, 10))
    lines = [",".join(map(str, [*row, row.sum()])) + "\n" for row in x]
    path.write_text("a,b,c,d,e,f,g,h,i,j,sum\n" + "".join(lines))
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A model with students, and a small file of its kind."""
    folder = tmp_path_factory.mktemp("taught")
    train = sums(folder / "train.csv", 3000)
    made = operations.fit(train, FitOptions(codec=True, students=True))
    return made, sums(folder / "small.csv", 500)


def test_a_student_is_kept_where_it_pays_and_files_come_back(taught, tmp_path):
    model, path = taught
    held = shared.shared_of(model)
    assert held.students.of, "the sum follows from ten columns together: too many for a table"
    operations.compress(path, tmp_path / "s.aez", model)
    operations.compress(path, tmp_path / "p.aez")
    out = operations.decompress(tmp_path / "s.aez", tmp_path / "o", model=model)
    assert out.read_bytes() == path.read_bytes()
    assert (tmp_path / "s.aez").stat().st_size < 0.95 * (tmp_path / "p.aez").stat().st_size
    with pytest.raises(BundleError, match="needs the model"):
        operations.decompress(tmp_path / "s.aez", tmp_path / "o2")


# three archives of 20,000 rows; the fast set has students in a model
@pytest.mark.long
def test_an_archive_carries_students_where_they_pay(tmp_path, monkeypatch):
    path = sums(tmp_path / "t.csv", 20_000)
    sizes = []
    for students_too, with_mixtures in ((True, True), (False, False), (True, False)):
        # a mixture of contexts tells a part of what the student does
        effort = dataclasses.replace(
            planning.BEST, students=students_too, mixes_symbols=with_mixtures
        )
        options = operations.CompressOptions(effort=effort, force=True)
        operations.compress(path, tmp_path / "t.aez", options=options)
        sizes.append((tmp_path / "t.aez").stat().st_size)
        out = operations.decompress(tmp_path / "t.aez", tmp_path / "o", force=True)
        assert out.read_bytes() == path.read_bytes()
    with_both, *sizes = sizes
    assert sizes[1] < 0.97 * sizes[0], sizes
    assert with_both <= sizes[1]
    found = operations.info(tmp_path / "t.aez")
    assert 0 < found["student_bytes"] < sizes[1]
    assert any("student" in coders for coders in found["coders"].values())
    data = bytearray((tmp_path / "t.aez").read_bytes())
    data[data.index(b"7zXZ") + 200] ^= 1
    (tmp_path / "bad.aez").write_bytes(data)
    with pytest.raises(ArchiveError, match="section students"):
        operations.decompress(tmp_path / "bad.aez", tmp_path / "p")
    plain = network.in_floats
    monkeypatch.setattr(  # right for the known answers, wrong for whole blocks
        network, "in_floats", lambda *g, **m: plain(*g, **m) * (1 if len(g[1]) < 10 else -1)
    )
    out = operations.decompress(tmp_path / "t.aez", tmp_path / "o", force=True)
    assert out.read_bytes() == path.read_bytes(), "the reference decides"


# the reference tries every student; in the fast set it restores what a kernel that is off wrote
@pytest.mark.long
def test_kernel_and_reference_write_the_same_archives(taught, tmp_path, monkeypatch):
    model, _ = taught
    # the reference takes a hundred times as long
    path = sums(tmp_path / "few.csv", 150)
    operations.compress(path, tmp_path / "fast.aez", model)
    monkeypatch.setattr(kernel, "C", None)
    operations.compress(path, tmp_path / "slow.aez", model)
    assert (tmp_path / "fast.aez").read_bytes() == (tmp_path / "slow.aez").read_bytes()
    out = operations.decompress(tmp_path / "fast.aez", tmp_path / "o", model=model)
    assert out.read_bytes() == path.read_bytes()


# each fault is another reading of the archive, of which the fast set tries the first ones
@pytest.mark.parametrize("faults", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_a_float_that_is_off_is_caught_and_the_reference_decides(
    faults, taught, tmp_path, monkeypatch
):
    model, path = taught
    operations.compress(path, tmp_path / "s.aez", model)
    plain = network.in_floats
    rng = np.random.default_rng(0)
    harmful, seen_by_reference, slow = 0, [], network.reference
    monkeypatch.setattr(
        network,
        "reference",
        lambda *given, **more: seen_by_reference.append(1) or slow(*given, **more),
    )
    for _ in range(faults):
        row, column = rng.integers(0, 500), rng.integers(0, student.VERDICTS)

        def off(layers, x, row=row, column=column, **more):
            votes = plain(layers, x, **more)
            if len(votes) > max(row, 8):  # a fault in the known answers is refused at once
                # one vote is one ulp beside its value, as far as that changes the verdict
                votes[row, column] = np.nextafter(votes[row].max(), np.inf)
            return votes

        monkeypatch.setattr(network, "in_floats", off)
        seen_by_reference.clear()
        with Archive(tmp_path / "s.aez", model) as archive:
            assert b"".join(archive.pieces(0, archive.rows)) == path.read_bytes()
        harmful += bool(seen_by_reference)
    assert harmful > 0.3 * faults, "most faults change what is decoded; those the reference repairs"


def zeros(megabytes):
    return lzma.compress(bytes(megabytes << 20), preset=0)


CODECS = {
    "xz bomb": lambda a, w: zeros(300),
    "length of its header": lambda a, w: lzma.compress((2**60).to_bytes(8, "little") + b"{}"),
    "no metas": lambda a, w: packing.packed(a, {**w, "metas": []}),
    "decimals": lambda a, w: packing.packed(a, {**w, "metas": [{"k": "number", "d": 9999, "f": [0], "s": []}] * 11}),
    "a prime is missing": lambda a, w: packing.packed({k: v for k, v in a.items() if k != "prime.0"}, w),
    "counts that are negative": lambda a, w: packing.packed({**a, "prime.0": np.full(a["prime.0"].shape, -1, np.int32)}, w),
    "stillness too large to be summed": lambda a, w: packing.packed({**a, "stillness": np.full(a["stillness"].shape, 1 << 24, np.uint32)}, w),
    "usual of another length": lambda a, w: packing.packed(a, {**w, "usual": [0] * 5}),
    "stillness of another shape": lambda a, w: packing.packed({**a, "stillness": np.zeros((1, 3), np.uint16)}, w),
    "line end": lambda a, w: packing.packed(a, {**w, "format": {**w["format"], "newline": "x" * 99}}),
    "wide student": lambda a, w: packing.packed({**a, **{k: np.zeros((5000, 5000), np.int16) for k in a if k.endswith("0.weight")}}, w),
    "a shift of 60": lambda a, w: packing.packed(a, {**w, "students": {k: {**v, "shifts": [60, 0]} for k, v in w["students"].items()}}),
}  # fmt: skip


# two unpack hundreds of MiB: of the fast set is one
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.long if n == "wide student" else ()) for n in CODECS],
)
def test_bombs_in_a_codec_are_refused_at_once(taught, name):
    arrays, words = packing.unpacked(taught[0].graphs[CODEC])
    data = CODECS[name](arrays, words)

    def read():
        with pytest.raises(BundleError):
            shared.from_bytes(data, "x")

    work = measured(read)
    assert work.lines < MOST_LINES and work.peak_bytes < MOST_BYTES, work


def test_a_codec_that_is_not_exact_is_refused(taught):
    model, _ = taught
    held = shared.shared_of(model)
    number, one = next(iter(held.students.of.items()))
    first, last = one.layers
    for layers, why in (
        (
            [Layer(first.weight, first.bias, first.shift), Layer(last.weight, last.bias + 2**53)],
            "beyond",
        ),
        ([Layer(first.weight, first.bias + 300, first.shift), last], "known answers"),
    ):
        held.students.of[number] = students.Student(one.features, layers, one.vectors)
        with pytest.raises(BundleError, match=why):
            shared.from_bytes(shared.to_bytes(held), "x")
