"""Archives under a shared model: bounds are of the file's range, and columns are stored in the ways
that the model has for them."""

import numpy as np
import pandas as pd
import pytest

from aetool import operations
from aetool.archives.exact_job import ExactJob, job_of
from aetool.codec import integers
from aetool.codec.contents.text import TextTable
from aetool.codec.shared import shared_of
from aetool.data import notices
from aetool.data.sources import open_source
from aetool.errors import ParamError
from aetool.fits import learning
from aetool.operations import CompressOptions, FitOptions
from tests.format_reader import restore

BOUNDS = {"": "1%"}
NUMBERS = ("wide", "cents", "long", "still", "exponent")


def table(rows, seed, narrow=1.0):
    """Numbers of several kinds, in a part `narrow` of the range that they have at 1."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(size=(rows, 3)), axis=0)
    frame = pd.DataFrame()
    frame["wide"] = (narrow * rng.integers(0, 1_000_000, rows)).astype(np.int64)
    frame["cents"] = (500 + narrow * 20 * steps[:, 0]).round(2)
    frame["long"] = narrow * steps[:, 1] / 3
    frame["kind"] = rng.choice(["plain", "odd", "n/a"], rows)
    frame["still"] = 17.25 if narrow < 1 else rng.integers(0, 4000, rows) / 4
    frame["exponent"] = narrow * 1e-12 * rng.normal(size=rows)
    return frame


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    table(3000, seed=1).to_csv(folder / "many.csv", index=False)
    return operations.fit(folder / "many.csv", FitOptions("pca", codec=True, max_error=BOUNDS))


def check_bound(source, restored):
    before, after = pd.read_csv(source), pd.read_csv(restored)
    assert list(before.columns) == list(after.columns)
    assert before["kind"].equals(after["kind"])
    for name in NUMBERS:
        allowed = 0.01 * np.ptp(before[name])
        # both are printed, and read, as floats
        error = np.abs(before[name] - after[name]).max()
        assert error <= allowed * (1 + 1e-9), name


QUICK_RANGES = {(2, 0.3), (2, 0.01), (60, 0.3), (60, 0.01), (900, 0.01)}
# Of rows without a model, of a few, of one block and of several; the largest takes seconds.
RANGES = [
    # with and without a model, a second for each of 900 rows
    pytest.param(rows, narrow, marks=() if (rows, narrow) in QUICK_RANGES else pytest.mark.long)
    for rows in (2, 60, 900, 6000)
    for narrow in (1.0, 0.3, 0.01)
]


@pytest.mark.parametrize(("rows", "narrow"), RANGES)
def test_the_bound_is_of_the_files_own_range(model, tmp_path, rows, narrow):
    source, archive, restored = (tmp_path / name for name in ("s.csv", "s.aez", "r.csv"))
    table(rows, seed=rows, narrow=narrow).to_csv(source, index=False)
    options = CompressOptions(max_error=BOUNDS)
    under = operations.compress(source, archive, model, options)
    operations.decompress(archive, restored, model=model)
    check_bound(source, restored)
    alone = operations.compress(source, tmp_path / "alone.aez", None, options)
    assert under["archive_bytes"] <= alone["archive_bytes"]


# the reader by the page takes three seconds for each
@pytest.mark.parametrize("files", [1, pytest.param(5, marks=pytest.mark.long)])
def test_many_narrow_files_gain_by_the_model_and_are_read_from_the_format_page(
    files, model, tmp_path
):
    options = CompressOptions(max_error=BOUNDS)
    bundle = model.to_bytes()
    sizes = {"under": 0, "alone": 0}
    for seed in range(files):
        source, archive = tmp_path / f"{seed}.csv", tmp_path / f"{seed}.aez"
        table(100, seed=seed, narrow=0.4).to_csv(source, index=False)
        sizes["under"] += operations.compress(source, archive, model, options)["archive_bytes"]
        alone = operations.compress(source, tmp_path / f"{seed}.alone", None, options)
        sizes["alone"] += alone["archive_bytes"]
        restored = tmp_path / f"{seed}.restored"
        operations.decompress(archive, restored, model=model)
        assert restore(archive.read_bytes(), bundle) == restored.read_bytes()
    assert sizes["under"] < sizes["alone"]


def table_of_kinds(rows, seed):
    """Columns that other ways suit better than the first one that fits."""
    rng = np.random.default_rng(seed)
    levels = np.sort(np.random.default_rng(0).normal(size=300)) / 3
    frame = pd.DataFrame()
    frame["again"] = levels[np.clip(rng.normal(150, 40, rows).astype(int), 0, 299)]
    frame["ratio"] = rng.integers(0, 100_000, rows) * 3 / 1e6 / 3
    frame["code"] = [f"{number:08x}" for number in rng.integers(0, 1 << 32, rows)]
    # of one file in cents, of another in hundredths of them
    digits = 2 if seed % 2 else 4
    frame["price"] = np.abs(10 + np.cumsum(rng.normal(size=rows))).round(digits)
    return frame


@pytest.fixture(scope="module")
def model_of_kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    table_of_kinds(4000, seed=0).to_csv(folder / "many.csv", index=False)
    return operations.fit(folder / "many.csv", FitOptions("pca", codec=True))


def test_a_model_foresees_the_way_that_suits_what_it_has_not_seen(model_of_kinds):
    shared = shared_of(model_of_kinds)
    kinds = dict(zip(shared.names, (meta.kind for meta in shared.metas), strict=True))
    assert kinds == {"again": "level", "ratio": "float", "code": "digits", "price": "number"}
    levels = [float(level) for level in shared.metas[0].levels]
    # near numbers have near ranks
    assert levels == sorted(levels)


# the other reader takes seconds for a thousand rows
@pytest.mark.parametrize("rows", [1, 120, pytest.param(1000, marks=pytest.mark.long), 5000])
def test_ways_that_are_foreseen_restore_every_byte(model_of_kinds, tmp_path, rows):
    bundle = model_of_kinds.to_bytes()
    for seed in (1, 2):
        frame = table_of_kinds(rows, seed)
        # cells that the model's ways do not hold, and ones that its dictionary lacks
        frame = frame.astype({"again": object, "ratio": object, "code": object})
        frame.loc[0, ["again", "ratio", "code"]] = ["none", "0x1", "00FF00ff"]
        source, archive = tmp_path / f"{seed}.csv", tmp_path / f"{seed}.aez"
        frame.to_csv(source, index=False)
        # without choosing: what is under the model must come back, even where it is not smaller
        job = job_of(
            open_source(source), CompressOptions(), model_of_kinds, shared_of(model_of_kinds)
        )
        with archive.open("w+b") as file:
            job.write(file)
        restored = tmp_path / f"{seed}.restored"
        operations.decompress(archive, restored, model=model_of_kinds)
        assert restored.read_bytes() == source.read_bytes()
        assert restore(archive.read_bytes(), bundle) == source.read_bytes()


def test_files_under_a_model_of_such_ways_are_smaller(model_of_kinds, tmp_path):
    source = tmp_path / "s.csv"
    table_of_kinds(400, seed=5).to_csv(source, index=False)
    under = operations.compress(source, tmp_path / "under.aez", model_of_kinds)
    alone = operations.compress(source, tmp_path / "alone.aez")
    assert under["archive_bytes"] < 0.9 * alone["archive_bytes"]


def test_codes_like_numbers_beyond_all_size_are_levels_as_they_stand(tmp_path):
    """Of 1e999999999 no number is computed: it is a code of digits and letters as well."""
    rng = np.random.default_rng(2)
    codes = np.array(["7e999999999", "1e88888888", "12", "3e5"])
    frame = pd.DataFrame({"code": rng.choice(codes, 600), "v": rng.normal(size=600).round(3)})
    source = tmp_path / "codes.csv"
    frame.to_csv(source, index=False)
    model = operations.fit(source, FitOptions("pca", codec=True))
    assert set(shared_of(model).metas[0].levels) == set(codes)
    operations.compress(source, tmp_path / "c.aez", model)
    operations.decompress(tmp_path / "c.aez", tmp_path / "back.csv", model=model)
    assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()


def under_and_back(source, model, archive, max_error=None):
    """A file under a model, whether or not that makes it smaller, restored, also by the reader that
    was written from the format's page."""
    options = CompressOptions(max_error=max_error or {})
    restored = archive.with_suffix(".back")
    job = job_of(open_source(source), options, model, shared_of(model, bool(max_error)))
    with archive.open("w+b") as file:
        job.write(file)
        job.compare(file)
    operations.decompress(archive, restored, model=model)
    assert restore(archive.read_bytes(), model.to_bytes()) == restored.read_bytes()
    return restored


def far_apart(rows, first, seed):
    """Rows of two columns of text: `first(rng)`, and a number."""
    rng = np.random.default_rng(seed)
    return "x,y\n" + "".join(f"{first(rng)},{rng.normal():.3f}\n" for _ in range(rows))


def long_float(rng):
    return repr(float(rng.normal() / 3))


def sixteen_digits(rng):
    return f"{rng.integers(1 << 64, dtype=np.uint64):016x}"


# columns that never change, of values further from the model's usual one than 63 bits say
FAR = {
    "a float above 2": (long_float, "2.234567890123456"),
    "a float below -2": (long_float, "-3e-300"),
    "the largest float": (long_float, "1.7976931348623157e+308"),
    "sixteen digits": (sixteen_digits, "7fffffffffffffff"),
    "sixteen others": (sixteen_digits, "8000000000000000"),
}


# each fits a model: of bounds, one value is of the fast set
@pytest.mark.parametrize(
    ("case", "max_error"),
    [
        pytest.param(
            case, bound, marks=pytest.mark.long if number % 2 or (bound and number) else ()
        )
        for number, case in enumerate(FAR)
        for bound in (None, {"y": "1%"})
    ],
)
def test_a_column_that_never_changes_comes_back_however_far_its_value_is(tmp_path, case, max_error):
    many, constant = FAR[case]
    source = tmp_path / "many.csv"
    source.write_text(far_apart(500, many, 1))
    asked = FitOptions("pca", codec=True, max_error=max_error or {})
    model = operations.fit(source, asked)
    few = tmp_path / "few.csv"
    few.write_text(far_apart(100, lambda _: constant, 2))
    restored = under_and_back(few, model, tmp_path / "few.aez", max_error)
    cells = [line.split(",")[0] for line in restored.read_text().splitlines()]
    assert cells == ["x"] + 100 * [constant]
    if max_error is None:
        assert restored.read_bytes() == few.read_bytes()


@pytest.mark.parametrize("max_error", [{}, {"y": "1%"}])
def test_where_the_archive_under_a_model_fails_the_one_without_it_is_taken(
    tmp_path, monkeypatch, max_error
):
    source, few = tmp_path / "many.csv", tmp_path / "few.csv"
    source.write_text(far_apart(1000, long_float, 1))
    few.write_text(far_apart(100, lambda _: "2.234567890123456", 2))
    model = operations.fit(source, FitOptions("pca", codec=True, max_error=max_error))
    options = CompressOptions(max_error=max_error)
    alone = operations.compress(few, tmp_path / "alone.aez", None, options)
    monkeypatch.setattr(integers, "LONGEST_DIFFERENCE", 9)
    facts = operations.compress(few, tmp_path / "few.aez", model, options)
    assert facts["archive_bytes"] == alone["archive_bytes"]
    assert facts["fidelity"] == alone["fidelity"]
    assert "kept" not in facts
    assert facts["unused"] == (
        "an archive with it does not restore the file "
        "(the new archive: damaged: block 0: a length is cut short)"
    )
    assert (tmp_path / "few.aez").read_bytes() == (tmp_path / "alone.aez").read_bytes()


@pytest.mark.parametrize("method", ["write", "compare"])
def test_where_no_archive_can_be_had_under_a_model_the_bytes_are_stored(
    tmp_path, monkeypatch, method
):
    source, few = tmp_path / "many.csv", tmp_path / "few.csv"
    source.write_text(far_apart(1000, long_float, 1))
    few.write_text(far_apart(100, lambda _: "2.234567890123456", 2))
    model = operations.fit(source, FitOptions("pca", codec=True))
    unbroken = getattr(ExactJob, method)

    def broken(job, file):
        if isinstance(job.content, TextTable):
            raise LookupError("a fault of the program")
        return unbroken(job, file)

    monkeypatch.setattr(ExactJob, method, broken)
    facts = operations.compress(few, tmp_path / "few.aez", model)
    assert "a fault of the program" in facts["kept"]
    operations.decompress(tmp_path / "few.aez", tmp_path / "back.csv")
    assert (tmp_path / "back.csv").read_bytes() == few.read_bytes()


def decimals(rows, high, digits, seed):
    values = np.random.default_rng(seed).uniform(0, high, rows)
    return "x\n" + "".join(f"{value:.{digits}f}\n" for value in values)


# each fits a model for bounds, which takes three seconds: the narrowest range is of the fast set
@pytest.mark.parametrize(
    ("of_model", "of_file"),
    [
        pytest.param((1000, 0), (1, 3), marks=pytest.mark.long),
        pytest.param((1000, 2), (0.1, 4), marks=pytest.mark.long),
        pytest.param((1, 5), (1, 7), marks=pytest.mark.long),
        pytest.param((1000, 2), (1e-7, 9), marks=pytest.mark.long),
        pytest.param((1, 5), (0.01, 4), marks=pytest.mark.long),
        # as many decimals, or fewer, in a range that is far narrower
        pytest.param((1000, 3), (1, 3), marks=pytest.mark.long),
        ((1000, 3), (100, 1)),
    ],
)
def test_rounded_numbers_are_written_with_the_digits_that_the_file_has(tmp_path, of_model, of_file):
    source, few = tmp_path / "many.csv", tmp_path / "few.csv"
    source.write_text(decimals(1000, *of_model, seed=1))
    few.write_text(decimals(200, *of_file, seed=2))
    model = operations.fit(source, FitOptions("pca", codec=True, max_error=BOUNDS))
    restored = under_and_back(few, model, tmp_path / "few.aez", BOUNDS)
    before = few.read_text().splitlines()[1:]
    after = restored.read_text().splitlines()[1:]
    # "0.980" as "0.98" would say less of how exact it is than the archive without a model does
    _, digits = of_file
    assert {len(cell.partition(".")[2]) for cell in after} == {digits}
    numbers = np.array(before, float)
    error = np.abs(numbers - np.array(after, float)).max()
    assert error <= 0.01 * np.ptp(numbers) * (1 + 1e-9)


# ---- a model of several files


def in_files(folder, frames, header="first,second,third\n"):
    """Write frames of three columns as files, the last without a line end; their paths."""
    folder.mkdir()
    paths = []
    for number, frame in enumerate(frames):
        paths.append(folder / f"{number}.csv")
        paths[-1].write_text(header + frame.to_csv(index=False, header=False))
    paths[-1].write_text(paths[-1].read_text().removesuffix("\n"))
    return paths


def numbers(rows, seed):
    rng = np.random.default_rng(seed)
    walk = (50 + np.cumsum(rng.normal(size=rows))).round(2)
    return pd.DataFrame({0: np.arange(rows) // 3, 1: walk, 2: rng.choice(["on", "off"], rows)})


def learned_of(data, bounds):
    """What a model of these data learns for archives, and what is said meanwhile."""
    said = []
    with notices.heard_by(lambda name, line: said.append(f"{name}: {line}")):
        learned = learning.learn(open_source(data), bounds, students=False, seed=0)
    return learned, said


@pytest.mark.parametrize("bounds", [{}, {"": "1%"}, {"second": "0.5"}])
def test_of_several_files_is_learned_what_is_learned_of_one_with_their_records(tmp_path, bounds):
    paths = in_files(tmp_path / "parts", [numbers(rows, seed=rows) for rows in (300, 200, 1, 499)])
    records = [line for path in paths for line in path.read_text().splitlines()[1:]]
    joined = tmp_path / "joined.csv"
    joined.write_text("\n".join(["first,second,third", *records, ""]))
    of_one, _ = learned_of(joined, bounds)
    for data in (paths, str(tmp_path / "parts"), str(tmp_path / "parts" / "*.csv")):
        assert learned_of(data, bounds) == (of_one, [])


def test_files_under_a_model_of_a_folder_are_smaller_and_come_back(tmp_path):
    in_files(tmp_path / "parts", [numbers(300, seed) for seed in range(6)])
    [source] = in_files(tmp_path / "next", [numbers(200, seed=10)])
    model = operations.fit(tmp_path / "parts", FitOptions("pca", codec=True))
    under = operations.compress(source, tmp_path / "under.aez", model)
    alone = operations.compress(source, tmp_path / "alone.aez")
    assert under["shared"] and under["archive_bytes"] < 0.9 * alone["archive_bytes"]
    operations.decompress(tmp_path / "under.aez", tmp_path / "back.csv", model=model)
    assert (tmp_path / "back.csv").read_bytes() == source.read_bytes()


def test_files_of_another_form_are_told_and_not_learned_from(tmp_path):
    paths = in_files(tmp_path / "parts", [numbers(300, seed=1), numbers(200, seed=2)])
    of_two, _ = learned_of(paths, {})
    turned = tmp_path / "turned.csv"
    table = numbers(100, seed=3).set_axis(["first", "second", "third"], axis=1)
    table[["third", "first", "second"]].to_csv(turned, index=False)
    typed = tmp_path / "typed.parquet"
    table.to_parquet(typed)
    for other, why in (
        (turned, "has its columns in another order"),
        (typed, "is no table in text"),
    ):
        learned, said = learned_of([*paths, other], {})
        assert learned == of_two
        [line] = said
        assert f"is learned from 2 of 3 tables: {other} {why}" in line


def test_where_no_table_is_text_a_codec_is_refused(tmp_path):
    typed = tmp_path / "typed.parquet"
    table = numbers(100, seed=3).set_axis(["first", "second", "third"], axis=1)
    table.to_parquet(typed)
    for data in (typed, [typed, typed], table):
        with pytest.raises(
            ParamError, match="codec=True: what small archives share is learned from"
        ):
            operations.fit(data, FitOptions("pca", codec=True))
    with pytest.raises(ParamError, match="max_error: what small archives share"):
        operations.fit(typed, FitOptions("pca", codec=True, max_error={"": "1%"}))
