"""Pictures within a bound: no pixel is further off, at any depth, and fewer bytes than exactly."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import aetool
from aetool import kernel, operations
from aetool.cli import main
from aetool.codec import (
    blocks,
    picture_blobs,
    picture_coding,
    picture_models,
    pictures,
    planning,
)
from aetool.codec.archive import Archive
from aetool.codec.picture_coding import State
from aetool.codec.picture_contexts import PRESETS, USUAL
from aetool.errors import ArchiveError, ParamError
from aetool.operations import CompressOptions, FitOptions
from tests import format_reader
from tests.sweeps import one_in

GOLDEN = Path(__file__).parent / "golden" / "3.6"
FASHION = Path(__file__).parents[2] / "shared" / "data" / "images" / "fashion-mnist"


def textured(*shape, highest=255, seed=0):
    """(n, channels, height, width): slopes with noise, from black to white, in channels alike."""
    rng = np.random.default_rng(seed)
    _, channels, height, width = shape
    down, right = np.mgrid[:height, :width]
    slope = np.sin(down / 9) + np.cos(right / 7)
    noisy = slope + rng.normal(0, 0.1, shape) + np.arange(channels)[:, None, None] / 9
    levels = np.clip((0.5 + noisy / 3) * highest, 0, highest)
    return levels.astype(np.uint8 if highest < 256 else np.uint16)


def off(pixels, restored):
    """The largest difference of two pictures, in levels."""
    return int(np.abs(np.asarray(pixels, int) - np.asarray(restored, int)).max())


def within(bound):
    return CompressOptions(max_error={"": str(bound)})


def through(pixels, bound, effort=planning.DEFAULT):
    """(bytes, restored pictures, what the block says of its errors) of a block within a bound."""
    encoded = pictures.encode(pixels, effort, bound=bound)
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content)
    restored = pictures.decode(block, encoded.rows)
    assert restored.dtype == pixels.dtype
    return len(encoded.payload), restored, encoded


# ---- the coder


@st.composite
def planes(draw):
    """(values, their largest, a bound, which may be larger than that)."""
    shape = [draw(st.integers(1, most)) for most in (3, 4, 6, 9)]
    most = draw(st.sampled_from([1, 2, 6, 255, 1000, 65535]))
    bound = draw(st.sampled_from([1, 2, 3, 7, 20, 127, 128, 255, 300, 32767, 65535]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    values = rng.integers(0, most + 1, shape)
    if draw(st.booleans()):
        values = np.cumsum(rng.integers(-bound, bound + 1, shape), axis=3) % (most + 1)
    return values.astype(np.uint16), most, bound


@pytest.mark.parametrize("preset", one_in(2, PRESETS), ids=["quick", "usual", "thorough"])
@given(planes())
@settings(max_examples=15, deadline=None)
def test_the_kernel_and_the_reference_restore_the_same_within_the_bound(preset, drawn):
    values, most, bound = drawn
    before = kernel.C
    written, left = [], []
    try:
        for loops in (before, None):
            kernel.C = loops
            own = values.copy()
            written.append(picture_coding.encode(own, most, State.fresh(preset, 8), bound))
            left.append(own)
            again = State.fresh(preset, 8)
            restored = picture_coding.decode(written[-1], values.shape, most, again, bound)
            np.testing.assert_array_equal(restored, own)
    finally:
        kernel.C = before
    assert written[0] == written[1]
    np.testing.assert_array_equal(left[0], left[1])
    assert off(values, left[0]) <= bound and int(left[0].max()) <= most


def test_what_is_predicted_from_is_what_is_restored():
    """By hand: 9 within 2 is two steps of 5 above 0, and so 10; 254 is 51 steps, and so 255; with
    all that was seen being 10, 8 and 12 are no step from it."""
    for value, restored in ((9, 10), (254, 255), (2, 0), (3, 5)):
        values = np.full((1, 1, 1, 1), value, np.uint16)
        picture_coding.encode(values, 255, State.fresh(USUAL, 8), 2)
        assert values.item() == restored
    values = np.array([[[[9], [8], [12], [11]]]], np.uint16)
    picture_coding.encode(values, 255, State.fresh(USUAL, 8), 2)
    assert values.ravel().tolist() == [10, 10, 10, 10]
    # 1 within 1 of all that there are
    values = np.array([[[[1, 0, 1]]]], np.uint16)
    code = picture_coding.encode(values, 1, State.fresh(USUAL, 8), 1)
    assert len(code) == 1 and not values.any()


def test_values_written_in_another_order_become_the_restored_ones():
    pixels = textured(2, 3, 12, 10).astype(np.uint16)
    turned = np.asfortranarray(pixels)
    code = picture_coding.encode(turned, 255, State.fresh(USUAL, 8), 9)
    own = pixels.copy()
    assert code == picture_coding.encode(own, 255, State.fresh(USUAL, 8), 9)
    np.testing.assert_array_equal(turned, own)
    assert 0 < off(pixels, own) <= 9


# ---- blocks


@pytest.mark.parametrize("effort", [planning.FAST, planning.DEFAULT, planning.BEST])
@pytest.mark.parametrize("highest", [255, 4095, 65535])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_no_value_is_further_off_and_bytes_fall(effort, highest, channels):
    if highest > 255 and channels > 1:
        channels = 1
    pixels = textured(2, channels, 40, 33, highest=highest)
    exact = through(pixels, 0, effort)
    np.testing.assert_array_equal(exact[1], pixels)
    assert not exact[2].errors
    size = exact[0]
    for bound in (1, 3, 20, highest // 9):
        smaller, restored, encoded = through(pixels, bound, effort)
        largest = off(pixels, restored)
        assert encoded.errors == {"pixels": largest} and 0 < largest <= bound
        square = ((restored.astype(np.int64) - pixels) ** 2).sum()
        assert encoded.squares == {"pixels": square}
        assert smaller < size
        size = smaller if bound < highest // 9 or bound > 20 else size


def test_black_and_white_stay_in_the_range():
    pixels = np.zeros((1, 1, 30, 30), np.uint8)
    pixels[..., ::2] = 255
    pixels[:, :, 3::5, ::4] = 251
    pixels[:, :, 4::5, 1::4] = 4
    for bound in (1, 3, 10, 60, 127):
        coded = picture_blobs.encode(pixels, USUAL, bound=bound)
        restored = picture_blobs.decode(coded.blob, pixels.shape, 1)
        assert off(pixels, restored) <= bound
        np.testing.assert_array_equal(restored, coded.restored)


def test_drawings_of_few_colours_are_exact_where_that_is_smaller():
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (4, 3)).astype(np.uint8)
    icon = colours[rng.integers(0, 4, (1, 40, 40))].transpose(0, 3, 1, 2)
    size, restored, encoded = through(np.ascontiguousarray(icon), 1)
    np.testing.assert_array_equal(restored, icon)
    assert not encoded.errors and size == through(np.ascontiguousarray(icon), 0)[0]


def test_without_the_kernel_many_pixels_are_exact(monkeypatch):
    """The reference would take minutes; what is exact is within every bound. How many are many is
    set lower here: exact pictures take the reference long as well."""
    monkeypatch.setattr(kernel, "C", None)
    monkeypatch.setattr(pictures, "MOST_BY_REFERENCE", 100)
    pixels = textured(1, 1, 11, 10)
    assert pixels.size > pictures.MOST_BY_REFERENCE
    np.testing.assert_array_equal(through(pixels, 5)[1], pixels)
    few = textured(1, 1, 10, 10)
    restored = through(few, 5)[1]
    assert 0 < off(few, restored) <= 5


def test_damage_is_noticed():
    pixels = textured(1, 1, 20, 20)
    coded = picture_blobs.encode(pixels, USUAL, bound=4).blob
    assert coded[0] >> 4 == picture_blobs.WITHIN and coded[2] == 4
    with pytest.raises(ArchiveError, match="within a bound that is none"):
        picture_blobs.decode(coded[:2] + b"\0" + coded[3:], pixels.shape, 1)
    with pytest.raises(ArchiveError, match="within a bound that is none"):
        picture_blobs.decode(coded[:2] + b"\x80\x80\x04" + coded[3:], pixels.shape, 1)
    with pytest.raises(ArchiveError, match="do not end where"):
        picture_blobs.decode(coded + bytes(4), pixels.shape, 1)
    encoded = pictures.encode(pixels, planning.DEFAULT, bound=4)
    for place in range(0, len(encoded.payload), 7):
        bad = bytearray(encoded.payload)
        bad[place] ^= 1 << place % 8
        with pytest.raises(ArchiveError):
            blocks.decode(bytes(bad), encoded.rows, encoded.content)


# ---- arrays


@pytest.fixture
def array(tmp_path):
    """The path of an array of pictures in colour."""
    path = tmp_path / "p.npy"
    np.save(path, textured(9, 3, 48, 40).transpose(0, 2, 3, 1))
    return path


def test_an_array_within_levels(array, tmp_path):
    before = np.load(array)
    exact = operations.compress(array, tmp_path / "exact.aez")
    for bound in (1, 2, 20):
        path = tmp_path / f"{bound}.aez"
        figures = operations.compress(array, path, options=within(bound))
        assert figures["fidelity"] == "bounded"
        assert figures["archive_bytes"] < exact["archive_bytes"]
        after = np.load(operations.decompress(path, tmp_path / f"{bound}.npy"))
        assert after.shape == before.shape and after.dtype == before.dtype
        assert figures["errors"] == {"pixels": {"largest": off(before, after)}}
        assert 0 < off(before, after) <= bound
        with Archive(path) as archive:
            assert archive.mode == "bounded" and archive.content.version == 2
            assert archive.facts["errors"] == figures["errors"]
            np.testing.assert_array_equal(archive[3:5].transpose(0, 2, 3, 1), after[3:5])


def test_less_than_a_level_is_lossless_and_the_same_bytes(array, tmp_path):
    for number, bound in enumerate(("0", "0.9", "0.1%")):
        operations.compress(array, tmp_path / f"{number}.aez", options=within(bound))
    # a file as it is could be smaller, and is tried where nothing was asked for
    operations.compress(array, tmp_path / "exact.aez")
    exact = (tmp_path / "exact.aez").read_bytes()
    for number in range(3):
        assert (tmp_path / f"{number}.aez").read_bytes() == exact


def test_parts_of_all_levels_and_names_of_arrays(array, tmp_path):
    packed = tmp_path / "a.npz"
    np.savez(packed, shots=np.load(array))
    figures = aetool.compress(packed, tmp_path / "a.aez", max_error={"shots": "1%"})
    # 1 % of 255 levels is 2.55
    assert figures["errors"]["pixels"]["largest"] == 2
    with pytest.raises(ParamError, match="no columns: give one number of levels"):
        aetool.compress(packed, tmp_path / "b.aez", max_error={"shorts": 3})
    with pytest.raises(ParamError, match="write a number such as"):
        aetool.compress(packed, tmp_path / "b.aez", max_error="two")
    with pytest.raises(ParamError, match="0 or more"):
        aetool.compress(packed, tmp_path / "b.aez", max_error=-1)
    assert not (tmp_path / "b.aez").exists()


def test_a_bound_beyond_all_levels(array, tmp_path):
    figures = operations.compress(array, tmp_path / "a.aez", options=within(1e9))
    after = np.load(operations.decompress(tmp_path / "a.aez", tmp_path / "a.npy"))
    assert len(np.unique(after)) == 1
    assert figures["errors"]["pixels"]["largest"] == off(np.load(array), after)
    assert figures["archive_bytes"] < 400


def test_threads_and_effort_of_idx_files(tmp_path):
    pixels = textured(40, 1, 28, 28)
    raw = b"\0\0\x08\x03" + b"".join(size.to_bytes(4) for size in (40, 28, 28)) + pixels.tobytes()
    (tmp_path / "p-idx3-ubyte").write_bytes(raw)
    written = set()
    for threads in (1, 2):
        path = tmp_path / f"{threads}.aez"
        aetool.compress(tmp_path / "p-idx3-ubyte", path, max_error=5, executor=f"threads:{threads}")
        written.add(path.read_bytes())
        path.unlink()
    aetool.compress(tmp_path / "p-idx3-ubyte", tmp_path / "p.aez", max_error=5)
    written.add((tmp_path / "p.aez").read_bytes())
    assert len(written) == 1
    back = operations.decompress(tmp_path / "p.aez", tmp_path / "p").read_bytes()
    assert back[:16] == raw[:16]
    assert 0 < off(np.frombuffer(back, np.uint8), np.frombuffer(raw, np.uint8)) <= 5


@pytest.mark.skipif(not FASHION.exists(), reason="the pictures are not there")
def test_twenty_levels_of_real_pictures(tmp_path):
    raw = gzip.decompress((FASHION / "t10k-images-idx3-ubyte.gz").read_bytes())
    pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)[:300]
    np.save(tmp_path / "f.npy", pixels)
    sizes = [operations.compress(tmp_path / "f.npy", tmp_path / "0.aez")["archive_bytes"]]
    for bound in (1, 5, 20):
        figures = operations.compress(
            tmp_path / "f.npy", tmp_path / f"{bound}.aez", options=within(bound)
        )
        after = np.load(operations.decompress(tmp_path / f"{bound}.aez", tmp_path / f"{bound}.npy"))
        assert off(pixels, after) == figures["errors"]["pixels"]["largest"] == bound
        sizes.append(figures["archive_bytes"])
    assert sizes[1] < 0.8 * sizes[0] and sizes[2] < 0.5 * sizes[0] and sizes[3] < 0.27 * sizes[0]


# ---- folders


def save_all(folder):
    """Pictures of every mode that is stored by pixel, a JPEG, and a text."""
    (folder / "more").mkdir(parents=True)
    gray = textured(1, 1, 40, 50)[0, 0]
    colour = Image.fromarray(textured(1, 3, 40, 50)[0].transpose(1, 2, 0))
    Image.fromarray(gray).save(folder / "l.png")
    Image.fromarray(textured(1, 1, 40, 50, highest=65535)[0, 0]).save(folder / "deep.png")
    for mode, name in (("RGB", "c.png"), ("RGBA", "a.png"), ("LA", "la.png"), ("CMYK", "k.tiff")):
        colour.convert(mode).save(folder / "more" / name)
    for name in ("c.bmp", "c.ppm"):
        colour.save(folder / name)
    colour.convert("1").save(folder / "two.png")
    colour.quantize(30).save(folder / "map.png")
    colour.save(folder / "j.jpg")
    (folder / "notes.txt").write_text("as they are\n")


def test_a_folder_within_levels(tmp_path):
    save_all(tmp_path / "f")
    figures = operations.compress(tmp_path / "f", tmp_path / "f.aez", options=within(6))
    assert figures["fidelity"] == "bounded" and figures["errors"] == {"pixels": {"largest": 6}}
    assert figures["stored_exactly"] == {"files": 2, "of two colours": 1, "with a palette": 1}
    lines = sorted(figures["unbounded"])
    assert [line[:35] for line in lines] == [
        "1 picture of two colours is stored ",
        "1 picture with a palette is stored ",
        "2 files are stored byte for byte: a",
    ]
    assert "JPEG" in lines[2]
    back = operations.decompress(tmp_path / "f.aez", tmp_path / "back")
    found = sorted(path.relative_to(back) for path in back.rglob("*.*"))
    assert len(found) == 12
    for name in found:
        if name.suffix in (".txt", ".jpg"):
            assert (back / name).read_bytes() == (tmp_path / "f" / name).read_bytes()
            continue
        before, after = (Image.open(at / name) for at in (tmp_path / "f", back))
        assert before.mode == after.mode
        largest = off(before, after)
        if name.name in ("two.png", "map.png"):
            assert largest == 0, name
        else:
            assert 0 < largest <= 6, name


def test_shares_of_levels_by_depth(tmp_path):
    """1 % of 65,535 levels is 655, of 255 it is 2; 0.1 % of 255 is none."""
    save_all(tmp_path / "f")
    for bound, deep, shallow in (("1%", 655, 2), ("0.1%", 65, 0)):
        operations.compress(tmp_path / "f", tmp_path / "f.aez", options=within(bound))
        back = operations.decompress(tmp_path / "f.aez", tmp_path / bound)
        for name, largest in (("deep.png", deep), ("l.png", shallow)):
            assert off(Image.open(tmp_path / "f" / name), Image.open(back / name)) == largest
        (tmp_path / "f.aez").unlink()


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "notes.txt").write_text("none\n")
    with pytest.raises(ParamError, match="whose files are stored as they are"):
        operations.compress(tmp_path / "f", tmp_path / "f.aez", options=within(2))


def test_a_coder_that_has_learned_within_the_bound_begins_there():
    model = picture_models.blank()
    learned = textured(300, 1, 20, 20, seed=1)
    for state in model.states.values():
        picture_coding.encode(learned.astype(np.uint16), 255, state, 3)
    model = picture_models.from_bytes(picture_models.to_bytes(model), "")
    few = textured(6, 1, 20, 20, seed=2)
    encoded = pictures.encode(few, planning.DEFAULT, model=model, bound=3)
    assert len(encoded.payload) < 0.9 * through(few, 3)[0]
    block = blocks.decode(encoded.payload, encoded.rows, encoded.content, pictures=model)
    assert 0 < off(few, pictures.decode(block, encoded.rows)) <= 3


# a fit and three archives; the smallest of all ways is taken in test_bounded_or_exact.py, too
@pytest.mark.long
def test_a_model_is_left_out_where_it_does_not_help(tmp_path):
    """It has learned how exact pictures go on, and steps of seven levels go otherwise."""
    for name, seed in (("a", 1), ("b", 2)):
        np.save(tmp_path / f"{name}.npy", textured(300, 1, 20, 20, seed=seed)[:, 0])
    model = operations.fit(tmp_path / "a.npy", FitOptions(plugin="pca", codec=True))
    few = tmp_path / "few.npy"
    np.save(few, np.load(tmp_path / "b.npy")[:6])
    assert "unused" not in operations.compress(few, tmp_path / "exact.aez", model)
    figures = operations.compress(few, tmp_path / "m.aez", model, within(3))
    assert "smaller without it" in figures["unused"]
    after = np.load(operations.decompress(tmp_path / "m.aez", tmp_path / "m.npy"))
    assert 0 < off(np.load(few), after) <= 3


# ---- what is said


def test_the_command_says_how_far_pixels_are_off(array, tmp_path):
    run = CliRunner().invoke(main, ["compress", str(array), "--max-error", "1"])
    assert run.exit_code == 0 and "bounded, pixels at most 1 level off" in run.output
    run = CliRunner().invoke(main, ["info", f"{array}.aez"])
    assert "fidelity         bounded" in run.output and "largest 1" in run.output
    run = CliRunner().invoke(main, ["verify", f"{array}.aez"])
    assert run.exit_code == 0 and "intact (archive bounded" in run.output


def test_an_archive_that_is_too_far_off_is_never_written(array, tmp_path, monkeypatch):
    real = picture_coding.encode

    def wrong(values, most, state, bound=0):
        return real(values, most, state, bound + 2 if bound else 0)

    monkeypatch.setattr(picture_coding, "encode", wrong)
    with pytest.raises(ArchiveError):
        operations.compress(array, tmp_path / "a.aez", options=within(2))
    assert not (tmp_path / "a.aez").exists()


# ---- for ever


@pytest.mark.parametrize("loops", ["kernel", "reference"])
def test_bounded_archives_of_earlier_versions_are_restored(tmp_path, monkeypatch, loops):
    if loops == "reference":
        monkeypatch.setattr(kernel, "C", None)
    back = operations.decompress(GOLDEN / "near.aez", tmp_path / "near.npy")
    np.testing.assert_array_equal(np.load(back), np.load(GOLDEN / "near.npy"))
    folder = operations.decompress(GOLDEN / "nears.aez", tmp_path / "nears")
    with np.load(GOLDEN / "nears.npz") as restored:
        assert sorted(restored) == sorted(path.name for path in folder.iterdir())
        for name in restored:
            np.testing.assert_array_equal(np.asarray(Image.open(folder / name)), restored[name])


def test_the_format_says_what_a_bound_does():
    """The reader that knows FORMAT.md alone restores the same."""
    pixels = format_reader.restore((GOLDEN / "near.aez").read_bytes())
    np.testing.assert_array_equal(pixels.transpose(0, 2, 3, 1), np.load(GOLDEN / "near.npy"))
    files = format_reader.restore((GOLDEN / "nears.aez").read_bytes())
    with np.load(GOLDEN / "nears.npz") as restored:
        assert sorted(files) == sorted(restored)
        for name in restored:
            flat = restored[name]
            flat = flat[None] if flat.ndim == 2 else flat.transpose(2, 0, 1)
            np.testing.assert_array_equal(files[name][1], flat)
