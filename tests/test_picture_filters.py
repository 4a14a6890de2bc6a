"""Filters of restored pictures: nearer to what was stored, never beyond what was promised."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import aetool
from aetool import kernel, operations
from aetool.codec import blocks, picture_blobs, picture_filters, pictures, planning
from aetool.codec.archive import Archive
from aetool.codec.picture_filters import DIFFERENCES, FAR, MIDDLE, NEAR, Filter, Scale
from aetool.errors import ArchiveError
from tests import format_reader
from tests.format_reader import coded as other_reader
from tests.golden import filters as golden

HOME = Path(__file__).parent / "golden" / "3.7"


def discs(*shape, highest=255, seed=0):
    """(n, channels, height, width): bright discs on a slope, with noise of its own in each channel."""
    count, channels, height, width = shape
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    radius = rng.uniform(1, min(height, width) / 2, (count, 1, 1))
    disc = 0.5 * (np.hypot(y - height / 2, x - width / 2) < radius)
    gray = disc + y / height / 3
    channels_apart = 0.05 * np.arange(channels)[:, None, None]
    noisy = gray[:, None] + channels_apart + rng.normal(0, 0.03, shape)
    levels = np.clip(noisy * highest, 0, highest)
    return levels.astype(np.uint8 if highest < 256 else np.uint16)


def through(pixels, bound, filtered=True):
    """(block as encoded, restored pictures)."""
    encoded = pictures.encode(pixels, planning.DEFAULT, bound=bound, filtered=filtered)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    return encoded, pictures.decode(block, encoded.rows)


def off(pixels, restored):
    return np.abs(np.asarray(pixels, int) - np.asarray(restored, int))


# ---- what a filter computes


@pytest.mark.parametrize("neighbours", [NEAR, FAR])
def test_a_filter_adds_what_its_tables_say(neighbours):
    """By hand: the right neighbour, and where the width ends the value itself, which is never off.
    Neighbour 4 of the nearest ring, by rows from the top left, is the one to the right."""
    columns = 1 + neighbours * DIFFERENCES
    tables = np.zeros((1, 5, columns), np.int8)
    scale = Scale(bound=4, largest_value=255)
    # a difference of 9, one step, is above 6 / 8 of one, and not above 10 / 8
    place = 1 + 4 * DIFFERENCES + MIDDLE + 3
    tables[0, 4, place] = 64  # of 256: a quarter of a step of 9
    tables[0, 4, 0] = 127  # nearly a half
    tables[0, 0, 0] = -128
    values = np.array([[[[100, 109, 108, 0]]]], np.uint16)
    filtered = Filter(tables).apply(values, values, scale)
    # 100 + 9 (64 + 127) / 256 = 106.7, within 4: 104; 109 and 108 and 4.46, within 4
    assert filtered.ravel().tolist() == [104, 113, 112, 0]
    tables[0, 4, 0] = 0
    filtered = Filter(tables).apply(values, values, scale)
    # 9 * 64 / 256 = 2.25
    assert filtered.ravel().tolist() == [102, 109, 108, 0]


@st.composite
def restored_planes(draw):
    """(restored, original, scale): planes whose values came back within a bound."""
    shape = [draw(st.integers(1, most)) for most in (6, 3, 9, 9)]
    most = draw(st.sampled_from([1, 3, 255, 1000, 65535]))
    bound = draw(st.sampled_from([1, 2, 20, 127, 300, 32767]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    walk = np.cumsum(rng.normal(0, bound, shape), axis=3) + most / 2
    original = np.clip(walk, 0, most).astype(np.uint16)
    moved = original.astype(np.int64) + rng.integers(-bound, bound + 1, shape)
    return np.clip(moved, 0, most).astype(np.uint16), original, Scale(bound, most)


@given(restored_planes())
@settings(max_examples=60, deadline=None)
def test_the_kernel_and_the_reference_learn_and_filter_the_same(drawn):
    restored, original, scale = drawn
    before = kernel.C
    results = []
    try:
        for loops in (before, None):
            kernel.C = loops
            filters, planes = picture_filters.filters_worth_storing(
                restored, original, scale, 10**7
            )
            written = b""
            again = []
            if filters:
                written = picture_filters.to_bytes(filters)
                again, end = picture_filters.read(written + b"x", 0, restored.shape[1])
                assert end == len(written)
            np.testing.assert_array_equal(picture_filters.applied(again, restored, scale), planes)
            results.append((written, planes))
    finally:
        kernel.C = before
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    planes = results[0][1]
    assert off(planes, restored).max() <= scale.bound
    assert off(planes, original).max() <= 2 * scale.bound
    assert int(planes.max()) <= scale.largest_value
    errors_before = np.square(off(restored, original)).sum()
    assert np.square(off(planes, original)).sum() <= errors_before


@given(restored_planes(), st.integers(0, 99), st.sampled_from([NEAR, FAR]))
@settings(max_examples=25, deadline=None)
def test_any_tables_filter_the_same_everywhere(drawn, seed, neighbours):
    """The kernel, the reference and the reader made from the page alone."""
    restored, _, scale = drawn
    rng = np.random.default_rng(seed)
    shape = (restored.shape[1], 5, 1 + neighbours * DIFFERENCES)
    tables = rng.integers(-128, 128, shape).astype(np.int8)
    before = kernel.C
    try:
        planes = []
        for loops in (before, None):
            kernel.C = loops
            planes.append(Filter(tables).apply(restored, restored, scale))
    finally:
        kernel.C = before
    np.testing.assert_array_equal(planes[0], planes[1])
    away = 1 if neighbours == NEAR else 2
    numbers = tables.ravel().tolist()
    other = other_reader.filtered(
        restored, restored, away, numbers, scale.bound, scale.largest_value
    )
    np.testing.assert_array_equal(other, planes[0])


def test_the_kernel_refuses_arguments_that_do_not_fit():
    values = np.zeros((1, 2, 3), np.uint16)
    classes, totals = np.zeros((1, 2, 3), np.uint8), np.zeros(6, np.int32)
    lut, tables = np.zeros(511, np.uint8), np.zeros((5, 89), np.int8)
    good = (values, classes, lut, 2, 3, 255, NEAR, tables, totals)
    kernel.C.filter_totals(*good)
    worse = {
        0: values + np.uint16(256),
        1: classes + np.uint8(5),
        2: lut + np.uint8(11),
        3: 4,
        4: 0,
        5: 254,
        6: 9,
        7: tables[:4],
        8: totals[:5],
    }
    for place, bad in worse.items():
        arguments = list(good)
        arguments[place] = bad
        with pytest.raises(ValueError, match="filter_totals: arguments out of range"):
            kernel.C.filter_totals(*arguments)
    gram, moments = np.zeros((265, 265), np.int64), np.zeros(265, np.int64)
    wanted = np.zeros((1, 2, 3), np.int64)
    for places in ([6], [-1]):
        taught = np.array(places, np.int64)
        with pytest.raises(ValueError, match="filter_equations: arguments out of range"):
            kernel.C.filter_equations(values, lut, 2, 3, 255, wanted, taught, gram, moments)


# ---- blocks


@pytest.mark.parametrize(
    ("shape", "highest", "bound"),
    [((60, 1, 20, 18), 255, 20), ((9, 3, 40, 50), 255, 8), ((20, 1, 30, 30), 65535, 4000)],
)
def test_filtered_pictures_are_nearer_for_few_bytes(shape, highest, bound):
    pixels = discs(*shape, highest=highest)
    plain, restored = through(pixels, bound, filtered=False)
    encoded, nearer = through(pixels, bound)
    assert nearer.dtype == pixels.dtype
    before = np.square(off(pixels, restored)).mean()
    after = np.square(off(pixels, nearer)).mean()
    # a decibel at least, in a tenth of the bytes at most
    assert 10 * np.log10(before / after) > 1
    assert len(plain.payload) < len(encoded.payload) < 1.2 * len(plain.payload)
    assert off(pixels, nearer).max() == encoded.errors["pixels"] <= 2 * bound
    assert np.square(off(pixels, nearer)).sum() == encoded.squares["pixels"]


def test_few_pixels_have_no_filter():
    pixels = discs(1, 1, 9, 9)
    plain, _ = through(pixels, 20, filtered=False)
    encoded, _ = through(pixels, 20)
    assert encoded.payload == plain.payload


def test_a_filter_of_exact_pictures_or_a_damaged_one_is_refused():
    pixels = discs(60, 1, 20, 18)
    coded = picture_blobs.encode(pixels, pictures.presets_of(planning.DEFAULT)[0], None, 20, True)
    blob = coded.blob
    assert blob[0] & picture_blobs.FILTERED
    assert np.array_equal(picture_blobs.decode(blob, pixels.shape, 1), coded.restored)
    without_bound = bytes([blob[0] & ~(3 << 4)]) + blob[1:]
    with pytest.raises(ArchiveError, match="coded in an unknown way"):
        picture_blobs.decode(without_bound, pixels.shape, 1)
    # behind the first byte, the size of tables and the bound: how many filters, and how wide
    for place, value, why in (
        (3, 0, "another number of filters"),
        (3, 4, "another number"),
        (4, 3, "another width"),
    ):
        damaged = bytearray(blob)
        damaged[place] = value
        with pytest.raises(ArchiveError, match=why):
            picture_blobs.decode(bytes(damaged), pixels.shape, 1)


# ---- archives


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """An array of 120 gray pictures."""
    path = tmp_path_factory.mktemp("stack") / "discs.npy"
    np.save(path, discs(120, 1, 20, 18)[:, 0])
    return path


def test_a_goal_takes_fewer_bytes_by_filters(stack, tmp_path, monkeypatch):
    filtered = aetool.compress(stack, tmp_path / "a.aez", target_psnr=26)
    with Archive(tmp_path / "a.aez") as archive:
        assert archive.reader.header["content"] == ["pixels", 3]
        largest = archive.reader.header["bound"]
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.npy")
    pixels, restored = np.load(stack), np.load(back)
    assert off(pixels, restored).max() == filtered["bounds"]["pixels"] <= largest
    noise = np.square(off(pixels, restored)).mean() ** 0.5
    assert 20 * np.log10(255 / noise) >= 26
    assert filtered["psnr_db"] == pytest.approx(20 * np.log10(255 / noise), abs=1e-3)
    monkeypatch.setattr(
        picture_filters,
        "filters_worth_storing",
        lambda restored, original, scale, size: ([], restored),
    )
    plain = aetool.compress(stack, tmp_path / "b.aez", target_psnr=26)
    assert filtered["archive_bytes"] < 0.93 * plain["archive_bytes"]


def test_a_bound_of_the_user_is_never_filtered(stack, tmp_path):
    aetool.compress(stack, tmp_path / "a.aez", max_error=20)
    with Archive(tmp_path / "a.aez") as archive:
        assert archive.reader.header["content"] == ["pixels", 2]
    back = operations.decompress(tmp_path / "a.aez", tmp_path / "back.npy")
    assert off(np.load(stack), np.load(back)).max() <= 20


# A filter takes more bytes than it saves of few pictures, and the other reader takes half a minute
# for many: in the fast set a filter of few is worth more than it is.
@pytest.mark.parametrize(
    ("count", "worth"),
    [(3, 6.0), pytest.param(30, picture_filters.WORTH_OF_DECIBEL, marks=pytest.mark.long)],
)
def test_a_folder_is_filtered_too_and_read_by_the_other_reader(count, worth, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_filters, "WORTH_OF_DECIBEL", worth)
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = discs(count, 3, 30, 26)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{number:02d}.png")
    facts = aetool.compress(folder, tmp_path / "a.aez", target_psnr=26)
    assert facts["taken"] == "bounded"
    with Archive(tmp_path / "a.aez") as archive:
        assert archive.reader.header["content"] == ["folder", 3]
    aetool.decompress(tmp_path / "a.aez", tmp_path / "back")
    other = format_reader.restore((tmp_path / "a.aez").read_bytes())
    for number in (0, count - 1):
        name = f"{number:02d}.png"
        restored = np.asarray(Image.open(tmp_path / "back" / name)).transpose(2, 0, 1)
        np.testing.assert_array_equal(other[name][1], restored)


def test_changed_bytes_never_restore_other_pictures(stack, tmp_path):
    path = tmp_path / "a.aez"
    aetool.compress(stack, path, target_psnr=26)
    back = operations.decompress(path, tmp_path / "back.npy")
    right = np.load(back)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 60).tolist():
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        try:
            out = operations.decompress(path, tmp_path / "out.npy", force=True)
        except ArchiveError:
            continue
        np.testing.assert_array_equal(np.load(out), right)


# Decoders in Python take minutes over pictures in colour: these are of the long set, while the fast
# one has them in gray, and by the kernel; the folder above is of few pictures in colour.
@pytest.mark.parametrize(
    ("name", "loops"),
    [
        ("gray", "kernel"),
        # the reference takes five seconds, and learns the same as the kernel in the fast set
        pytest.param("gray", "reference", marks=pytest.mark.long),
        ("colours", "kernel"),
        pytest.param("colours", "reference", marks=pytest.mark.long),
    ],
)
def test_golden_archives_are_restored_for_ever(name, loops, tmp_path, monkeypatch):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    out = operations.decompress(HOME / f"{name}.aez", tmp_path / "x.npy")
    np.testing.assert_array_equal(np.load(out), np.load(HOME / f"{name}.npy"))
    with Archive(HOME / f"{name}.aez") as archive:
        assert archive.reader.header["content"] == ["pixels", 3]


@pytest.mark.parametrize(("name", "channels"), [("gray", 1), ("colours", 3)])
def test_golden_pictures_are_near_their_source(name, channels):
    source = golden.discs(90, channels, 37)
    noise = np.square(off(source, np.load(HOME / f"{name}.npy"))).mean() ** 0.5
    assert 24 <= 20 * np.log10(255 / noise) < 26


# the other reader restores a folder that was filtered in the fast set
@pytest.mark.long
@pytest.mark.parametrize("name", ["gray", "colours"])
def test_the_other_reader_restores_golden_archives(name):
    restored = format_reader.restore((HOME / f"{name}.aez").read_bytes())
    expected = np.load(HOME / f"{name}.npy")
    if expected.ndim == 3:
        expected = expected[..., None]
    np.testing.assert_array_equal(restored.transpose(0, 2, 3, 1), expected)
