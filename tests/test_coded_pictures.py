"""Pictures coded bit by bit: the kernel is the reference, every way comes back, damage is noticed."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aetool import bundle as bundles
from aetool import kernel, operations
from aetool.bundle import CODEC
from aetool.codec import (
    blocks,
    limits,
    picture_blobs,
    picture_coding,
    picture_models,
    pictures,
    planning,
)
from aetool.codec.archive import Archive
from aetool.codec.packing import packed, unpacked
from aetool.codec.picture_coding import State
from aetool.codec.picture_contexts import FEATURES, PRESETS, QUICK, SQUASHED, STRETCHED, USUAL
from aetool.errors import ArchiveError, BundleError
from aetool.operations import CompressOptions, FitOptions
from tests import format_reader
from tests.format_reader import coded as other_reader

HOME = Path(__file__).parent / "golden" / "3.2"
EFFORTS = [planning.FAST, planning.DEFAULT, planning.BEST]
by_preset = pytest.mark.parametrize("preset", PRESETS, ids=["quick", "usual", "thorough"])


def golden(name):
    return np.load(HOME / f"{name}.npy")


def in_colour(*shape, seed=0):
    """Smooth slopes with a little noise, in channels that go together."""
    rng = np.random.default_rng(seed)
    _, channels, height, width = shape
    slope = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 200
    tint = np.arange(channels)[:, None, None] * 7
    return (slope + tint + rng.integers(0, 4, shape)).astype(np.uint8)


# ---- the coder


@st.composite
def planes(draw):
    """(values, their largest)."""
    shape = [draw(st.integers(1, most)) for most in (3, 4, 6, 9)]
    most = draw(st.sampled_from([1, 2, 6, 255, 1000, 65535]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if draw(st.booleans()):
        values = rng.integers(0, most + 1, shape)
    else:  # hardly ever another than the one before
        values = np.cumsum(rng.integers(-1, 2, shape), axis=3) % (most + 1)
    return values.astype(np.uint16), most


@by_preset
@given(planes())
@settings(max_examples=8, deadline=None)
def test_the_kernel_and_the_reference_write_and_learn_the_same(preset, drawn):
    values, most = drawn
    before = kernel.C
    states, written = [], []
    try:
        for loops in (before, None):
            kernel.C = loops
            state, again = (State.fresh(preset, 8) for _ in range(2))
            written.append(picture_coding.encode(values.copy(), most, state))
            restored = picture_coding.decode(written[-1], values.shape, most, again)
            np.testing.assert_array_equal(restored, values)
            states += [state, again]
    finally:
        kernel.C = before
    assert written[0] == written[1]
    for state in states[1:]:
        for part in ("counters", "weights", "last"):
            np.testing.assert_array_equal(getattr(state, part), getattr(states[0], part))


def test_probabilities_rise_and_are_each_others_inverse():
    assert all(low <= high for low, high in itertools.pairwise(SQUASHED))
    assert SQUASHED[2048] == 32768
    for vote in range(-900, 900):
        assert abs(STRETCHED[SQUASHED[vote + 2048] >> 4] - vote) <= 4


def test_the_kernel_knows_the_features_by_the_same_numbers():
    source = Path(pictures.__file__).with_name("_pixels.h").read_text()
    listed = source.split("PX_PREDICTED,")[1].split("PX_FEATURES")[0]
    names = ["predicted", *listed.replace("\n", " ").replace("PX_", "").lower().split(",")]
    assert [name.strip().replace("_", " ") for name in names if name.strip()] == [*FEATURES]


def test_a_coder_that_does_not_end_where_its_bytes_do_is_noticed():
    values = in_colour(1, 1, 9, 9).astype(np.uint16)
    data = picture_coding.encode(values, 255, State.fresh(USUAL, 8))
    for wrong in (data + b"\0", data[:-3]):
        with pytest.raises(ArchiveError, match="do not end where"):
            picture_coding.decode(wrong, values.shape, 255, State.fresh(USUAL, 8))


# ---- ways


def through(pixels, effort=planning.DEFAULT, model=None):
    """(bytes, pixels) of a block of pictures that was written and read."""
    encoded = pictures.encode(pixels, effort, model=model)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content, pictures=model)
    restored = pictures.decode(block, encoded.rows)
    assert restored.dtype == pixels.dtype
    np.testing.assert_array_equal(restored, pixels)
    return len(encoded.payload), restored


def way_of(pixels):
    return picture_blobs.encode(pixels, USUAL).blob[0]


def test_each_kind_of_picture_takes_its_way():
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (1, 1, 40, 40)).astype(np.uint8)
    icon = rng.integers(0, 256, (4, 3)).astype(np.uint8)[rng.integers(0, 4, (1, 40, 40))]
    assert way_of(noise) == picture_blobs.SQUEEZED
    assert way_of(icon.transpose(0, 3, 1, 2)) >> 4 == picture_blobs.PALETTE
    assert way_of(in_colour(1, 3, 40, 40)) >> 4 in (picture_blobs.DIFFERENCES, picture_blobs.PLANES)
    tinted = (
        np.repeat(rng.integers(0, 200, (1, 1, 40, 40)), 3, axis=1)
        + np.array([9, 0, 5])[:, None, None]
    )
    assert way_of(tinted.astype(np.uint8)) >> 4 & 3 in (
        picture_blobs.DIFFERENCES,
        picture_blobs.PALETTE,
    )


@pytest.mark.parametrize("effort", EFFORTS, ids=["fast", "default", "best"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_every_mode_come_back(effort, channels):
    for pixels in (
        in_colour(1, channels, 33, 21),
        in_colour(7, channels, 1, 1),
        in_colour(2, channels, 70, 2),
        np.full((1, channels, 30, 90), 17, np.uint8),
        in_colour(1, channels, 20, 30).astype(np.uint16) * 211,
        (in_colour(3, channels, 8, 9) > 90).astype(np.uint8) * 255,
    ):
        size, _ = through(pixels, effort)
        assert size < pixels.nbytes + 60


@pytest.mark.parametrize("side", [1, 3, 8, 20, 48])
def test_the_best_effort_is_never_larger_than_the_default(side):
    rng = np.random.default_rng(side)
    for pixels in (
        in_colour(7, 3, side, side, seed=side),
        rng.integers(0, 256, (7, 1, side, side), np.uint8),
        (rng.random((7, 1, side, side)) < 0.2).astype(np.uint8) * 255,
        np.full((7, 3, side, side), 9, np.uint8),
    ):
        best, _ = through(pixels, planning.BEST)
        default, _ = through(pixels, planning.DEFAULT)
        assert best <= default


def test_the_default_is_kept_where_more_contexts_are_larger(monkeypatch):
    pixels = in_colour(7, 3, 48, 48)
    default, _ = through(pixels, planning.DEFAULT)
    monkeypatch.setattr(pictures, "THOROUGH", QUICK)
    quick, _ = through(pixels, planning.FAST)
    assert quick > default
    assert through(pixels, planning.BEST)[0] == default


def test_flat_pictures_are_nearly_free_and_noise_is_not_blown_up():
    flat, _ = through(np.full((1, 3, 500, 500), 200, np.uint8))
    assert flat < 60
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (1, 1, 150, 150)).astype(np.uint8)
    assert through(noise)[0] < noise.size + 40
    # one bit in ten is set: 0.469 bits of entropy a pixel
    bits = ((rng.random((1, 1, 200, 200)) < 0.1) * 255).astype(np.uint8)
    assert through(bits)[0] < 1.06 * 0.469 * bits.size / 8


def test_what_is_tried_does_not_grow_with_the_pictures():
    for shape in ((1, 3, 2000, 1000), (5000, 1, 28, 28), (3, 4, 300, 300), (2, 1, 1, 100000)):
        part = picture_blobs._sample_of(np.zeros(shape, np.uint8))
        assert 0 < part.size <= max(picture_blobs.TRIED, shape[1] * shape[3])


# ---- what is wrong is noticed


def test_bytes_that_are_changed_never_restore_other_pictures():
    pixels = golden("stack")[:, None]
    encoded = pictures.encode(pixels, planning.DEFAULT)
    for at in range(len(encoded.payload)):
        bad = bytearray(encoded.payload)
        bad[at] ^= 1 << at % 8
        for payload in (bytes(bad), encoded.payload[:at]):
            try:
                block = blocks.decode(payload, encoded.rows, encoded.content)
                restored = pictures.decode(block, encoded.rows)
            except ArchiveError:
                continue
            np.testing.assert_array_equal(restored, pixels)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1 << 13, 1 << 12), (1, 5, 2, 2), (1, 1, 0, 4), (1, 1, 1 << 24, 1)]
)
def test_pictures_of_sizes_that_are_not_allowed_are_refused_before_memory_is_taken(shape):
    with pytest.raises(ArchiveError, match=f"at most {limits.MAX_CELLS} values"):
        picture_blobs.decode(b"\x02\x08" + bytes(9), shape, 1)


@pytest.mark.parametrize(
    "data,why",
    [
        (b"\x0f\x08", "unknown way"),
        (b"\x82\x08", "unknown way"),
        (b"\x32\x08\x00", "within a bound that is none"),
        (b"\x12\x08", "differences"),
        (b"\x02\x20", "tables of another size"),
        (b"\x42", "need a model"),
        (b"\xc2\x10", "need a model"),
        (b"\x22\x08\x81\x08\x00", "too many colours"),
    ],
)
def test_ways_that_there_are_not_are_refused(data, why):
    with pytest.raises(ArchiveError, match=why):
        picture_blobs.decode(data + bytes(4), (1, 1, 4, 4), 1)
    with pytest.raises(ArchiveError, match="without a byte"):
        picture_blobs.decode(b"", (1, 1, 4, 4), 1)


def test_deep_pictures_come_back_where_the_kernel_was_not_built(monkeypatch):
    monkeypatch.setattr(kernel, "C", None)
    monkeypatch.setattr(pictures, "MOST_BY_REFERENCE", 100)
    for dtype in (np.uint8, np.uint16):
        values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (1, 1, 12, 9))
        through(values.astype(dtype))


# ---- models


@pytest.fixture(scope="module")
def model():
    return bundles.load(HOME / "pictures.aem")


def test_what_a_model_has_learned_makes_small_archives_smaller(model):
    learned = picture_models.model_of(model)
    pixels = golden("primed")[:, None]
    for effort in EFFORTS[1:]:
        alone, _ = through(pixels, effort)
        assert through(pixels, effort, learned)[0] < 0.8 * alone
    # nothing is learned from what is coded: the next archive begins at the same place
    again = picture_models.model_of(model)
    for number, state in learned.states.items():
        np.testing.assert_array_equal(state.counters, again.states[number].counters)


def test_tables_of_a_model_grow_with_what_is_coded(model):
    """A line of the larger table begins as the line that all of its hashes shared."""
    learned = picture_models.model_of(model).states[USUAL.number]
    larger = learned.grown(picture_models.BITS + 2)
    before = learned.counters.reshape(len(USUAL.contexts), -1, picture_coding.LINE)
    after = larger.counters.reshape(len(USUAL.contexts), -1, picture_coding.LINE)
    for place in (0, 1, 2, 3):
        np.testing.assert_array_equal(after[:, place::4] >> 8, before >> 8)
    uses = before & picture_coding.USES_MASK
    assert int(uses.max()) > picture_coding.MOST_LEARNED
    np.testing.assert_array_equal(
        after[:, 1::4] & picture_coding.USES_MASK, uses.clip(max=picture_coding.MOST_LEARNED)
    )


def test_a_model_never_makes_a_block_larger(model):
    """Of pictures like those that were learned, of many of them, and of others."""
    learned = picture_models.model_of(model)
    like = golden("primed")[:, None]
    rng = np.random.default_rng(4)
    many = np.concatenate([like, like[:, :, ::-1]] * 16)
    many = (many + rng.integers(0, 3, many.shape)).clip(0, 255).astype(np.uint8)
    for pixels in (like, many, in_colour(4, 1, 90, 130)):
        for effort in EFFORTS:
            assert through(pixels, effort, learned)[0] <= through(pixels, effort)[0]


@pytest.mark.parametrize("table", [16, 18])
def test_the_other_reader_grows_tables_too(model, table):
    learned = picture_models.model_of(model)
    values = golden("primed")[:3, None].astype(np.uint16)
    data = picture_coding.encode(values, 255, learned.states[USUAL.number].grown(table))
    way = USUAL.number + 1 | picture_blobs.PRIMED | picture_blobs.GROWN
    coded = bytes([way, table]) + data
    arrays, _ = unpacked(model.graphs[CODEC])
    wanted = picture_blobs.decode(coded, values.shape, 1, learned)
    np.testing.assert_array_equal(wanted, values)
    np.testing.assert_array_equal(other_reader.pictures(coded, values.shape, 1, arrays), values)
    for wrong in (15, 19):
        with pytest.raises(ArchiveError, match="tables of another size"):
            picture_blobs.decode(bytes([way, wrong]) + data, values.shape, 1, learned)


def test_a_model_is_named_and_needed(model, tmp_path):
    source, archive = HOME / "primed.npy", tmp_path / "x.aez"
    figures = operations.compress(source, archive, model, CompressOptions())
    assert figures["shared"]
    with Archive(archive) as opened, pytest.raises(BundleError, match="needs the model"):
        opened[0:4]
    operations.verify(archive, model)
    with Archive(archive, model) as opened:
        np.testing.assert_array_equal(opened[1:3][:, 0], golden("primed")[1:3])


def test_a_model_that_does_not_help_is_not_named(model, tmp_path):
    rng = np.random.default_rng(6)
    np.save(tmp_path / "noise.npy", rng.integers(0, 256, (20, 12, 11)).astype(np.uint8))
    archive = tmp_path / "noise.aez"
    figures = operations.compress(tmp_path / "noise.npy", archive, model, CompressOptions())
    assert "smaller without it" in figures["unused"]
    operations.verify(archive)


def test_a_folder_is_coded_by_a_model_too(model, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(golden("primed")):
        Image.fromarray(picture).save(folder / f"{number}.png")
    sizes = []
    for one in (None, model):
        archive = tmp_path / f"{one is None}.aez"
        sizes.append(operations.compress(folder, archive, one, CompressOptions())["archive_bytes"])
        out = operations.decompress(archive, tmp_path / f"{one is None}", model=one)
        for number, picture in enumerate(golden("primed")):
            np.testing.assert_array_equal(np.asarray(Image.open(out / f"{number}.png")), picture)
    assert sizes[1] < sizes[0]


def test_what_a_model_says_of_pictures_is_checked(model):
    arrays, words = unpacked(model.graphs[CODEC])
    for name, wrong in (
        ("pictures.1.counters", arrays["pictures.1.counters"][1:]),
        ("pictures.1.weights", arrays["pictures.1.weights"].astype(np.int32)),
        ("pictures.1.last", np.full_like(arrays["pictures.1.last"], 1 << 30)),
    ):
        graphs = {**model.graphs, CODEC: packed({**arrays, name: wrong}, words)}
        with pytest.raises(BundleError):
            picture_models.model_of(dataclasses.replace(model, graphs=graphs))


def test_fitting_the_same_pictures_twice_learns_the_same(tmp_path):
    np.save(tmp_path / "x.npy", golden("stack"))
    options = FitOptions(plugin="pca", codec=True)
    first, again = (operations.fit(tmp_path / "x.npy", options) for _ in range(2))
    assert first.graphs[CODEC] == again.graphs[CODEC]


# ---- golden archives


@pytest.mark.parametrize("loops", ["kernel", "reference"])
@pytest.mark.parametrize("name", ["stack", "primed"])
def test_golden_stacks_are_restored_for_ever(name, loops, model, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    out = operations.decompress(HOME / f"{name}.aez", tmp_path / "x.npy", model=model)
    np.testing.assert_array_equal(np.load(out), golden(name))


@pytest.mark.parametrize("name", ["stack", "primed"])
def test_the_other_reader_restores_golden_stacks(name):
    data, model = (HOME / f"{name}.aez").read_bytes(), (HOME / "pictures.aem").read_bytes()
    np.testing.assert_array_equal(format_reader.restore(data, model)[:, 0], golden(name))


def test_a_golden_folder_is_restored_for_ever(tmp_path):
    operations.decompress(HOME / "colours.aez", tmp_path / "x")
    other = format_reader.restore((HOME / "colours.aez").read_bytes())
    names = sorted(path.name for path in (HOME / "colours").iterdir())
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == names == sorted(other)
    for name in names:
        source, restored = (
            Image.open(folder / name) for folder in (HOME / "colours", tmp_path / "x")
        )
        assert source.mode == restored.mode == other[name][0]
        np.testing.assert_array_equal(np.asarray(restored), np.asarray(source))
        pixels = np.asarray(source.convert("L") if source.mode == "1" else source)
        flat = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        np.testing.assert_array_equal(other[name][1], flat)


def test_the_page_lists_the_presets_of_the_program():
    for preset, (contexts, selectors) in zip(PRESETS, other_reader.PRESETS, strict=True):
        assert [list(names) for names in preset.contexts] == contexts
        assert [list(names) for names in preset.selectors] == selectors
