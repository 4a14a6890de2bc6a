"""Odd files that came back changed, or ended in a traceback: each with its right value."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, PngImagePlugin

from aetool import operations


def returned(source, tmp_path):
    """The bytes of a file after compress and decompress."""
    archive = tmp_path / "x.aez"
    operations.compress(source, archive, None, operations.CompressOptions(force=True))
    back = operations.decompress(archive, tmp_path / f"back{source.suffix}", force=True)
    return back.read_bytes()


def npy(shape, values=b"", fortran=False, descr="<f8"):
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + values


@pytest.mark.parametrize(
    "content",
    [
        npy((), np.float64(2.5).tobytes(), fortran=True),
        npy((0, 99999999999999999999)),
        npy((1,) * 65, np.float64(2.5).tobytes()),
        npy((99999999999,), descr="|S0"),
    ],
    ids=["0-d Fortran", "an axis too long", "65 axes", "many values of no bytes"],
)
def test_arrays_of_odd_shapes_come_back(tmp_path, content):
    source = tmp_path / "x.npy"
    source.write_bytes(content)
    assert returned(source, tmp_path) == content


@pytest.mark.parametrize("place", [6, 8], ids=["of a later version", "with a password"])
def test_zips_that_python_does_not_open_come_back(tmp_path, place):
    file = io.BytesIO()
    np.savez(file, X=np.arange(30.0))
    content = bytearray(file.getvalue())
    # the version that is needed, and the flag of a password, in the zip's directory
    directory = content.index(b"PK\x01\x02")
    content[directory + place] = 99 if place == 6 else 1
    source = tmp_path / "x.npz"
    source.write_bytes(content)
    assert returned(source, tmp_path) == content


def test_an_arrow_file_with_metadata_in_its_footer_is_kept(tmp_path):
    table = pa.table({"a": [1, 2]})
    source = tmp_path / "x.arrow"
    with pa.OSFile(str(source), "wb") as sink:
        try:
            writer = pa.ipc.new_file(sink, table.schema, metadata={b"k": b"v"})
        except TypeError:
            pytest.skip("this pyarrow writes no such metadata")
        with writer:
            writer.write_table(table)
    assert returned(source, tmp_path) == source.read_bytes()


def with_gamma():
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    file = io.BytesIO()
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_resolution():
    file = io.BytesIO()
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    picture.save(file, "BMP", dpi=(200, 200))
    return file.getvalue()


TWO = b"P6\n1 1\n255\nabcP6\n1 1\n255\nxyz"


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.pgm", b"P5\n3 1\n100\n" + bytes([1, 50, 100])),
        ("a.ppm", TWO),
        ("a.ppm", b"P6\n# made by hand\n1 1\n255\nabc"),
        ("a.bmp", with_resolution()),
        ("a.png", with_gamma()),
    ],
    ids=["largest value 100", "two pictures", "a comment", "200 dpi", "gamma"],
)
def test_pictures_that_say_more_than_pixels_come_back_by_byte(tmp_path, name, content):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / name).write_bytes(content)
    archive = tmp_path / "p.aez"
    operations.compress(folder, archive)
    back = operations.decompress(archive, tmp_path / "back")
    assert (back / name).read_bytes() == content
    assert (folder / name).read_bytes() == content, "the source is as it was"


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "t.csv", "--max-error", "1e999999999"],
        ["compress", "t.csv", "--max-error", "1e-999999999%"],
        ["compress", "t.csv", "--max-error", "9" * 5000],
        ["compress", ""],
        ["decompress", "t.aez", "-c", "--rows", "1:" + "9" * 5000],
        ["decompress", "t.aez", "-c", "--columns", 'a"b\n'],
        ["decompress", "t.aez", "-c", "--columns", '"a'],
    ],
)
def test_odd_arguments_are_refused_in_one_line(tmp_path, monkeypatch, run, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert run("compress", "t.csv", "-o", "t.aez").status == 0
    done = run(*arguments)
    assert done.status == 2 and "Traceback" not in done.err
    assert len(done.err.splitlines()) == 1


def test_a_column_whose_name_holds_the_end_of_a_line(tmp_path, run):
    source = tmp_path / "t.csv"
    source.write_text('"l\nm",b\n1,2\n3,4\n')
    assert run("compress", source, "-o", tmp_path / "t.aez").status == 0
    done = run("decompress", tmp_path / "t.aez", "-c", "--columns", '"l\nm"')
    assert done.status == 0 and done.out == '"l\nm"\n1\n3\n'


@pytest.mark.parametrize(
    "header",
    ["-" * 9000 + "1", "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}", "[[[["],
    ids=["minuses", "a shape of truths", "open brackets"],
)
def test_a_header_of_an_array_that_is_none_is_told(header, tmp_path, run):
    text = header.encode().ljust(10_000) + b"\n"
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(80))
    for words in (("fit", path), ("detect", path)):
        done = run(*words)
        assert done.status == 2
        assert "x.npy" in done.err and "Traceback" not in done.err
    # what cannot be read as an array is a file of bytes all the same
    operations.compress(path, tmp_path / "x.aez")
    back = operations.decompress(tmp_path / "x.aez", tmp_path / "back.npy")
    assert back.read_bytes() == path.read_bytes()
