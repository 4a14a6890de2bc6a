"""What records cost in an archive: the ledger adds up, blames nobody for being first, and says why."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import aetool
from aetool import kernel, operations
from aetool.codec import (
    blobs,
    integers,
    ledger,
    mixing,
    number_cells,
    planning,
    rans,
    spans,
    stages,
    transforms,
)
from aetool.codec.archive import Archive
from aetool.codec.plans import Plan, Transform
from aetool.codec.streams import Known, Stream
from aetool.detection.ranking import auroc
from aetool.errors import AetoolError, DataError, ParamError
from aetool.scoring import costing, far_records, outlying

ROWS = 3000


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Numbers, words, rare words, gaps, dates and text, of which one cell of row 1,500 is odd."""
    rng = np.random.default_rng(seed)
    level = np.cumsum(rng.integers(-2, 3, rows)) + 500
    made = pd.DataFrame(
        {
            "time": pd.date_range("2026-01-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M"),
            "level": level,
            "load": np.round(rng.normal(20, 2, rows), 2),
            "state": rng.choice(["on", "off", "idle"], rows, p=[0.7, 0.25, 0.05]),
            "note": [f"unit {n} of {n % 7}" for n in rng.integers(0, 10**6, rows)],
            "gap": np.where(rng.random(rows) < 0.1, "", rng.integers(0, 9, rows).astype(str)),
            "still": 7,
        }
    )
    made["load"] = made["load"].map("{:.2f}".format)
    made.loc[min(1499, rows - 1), "load"] = "61.03"
    return made


def archive_of(data: object, folder, name: str = "t.csv", **options):
    """An archive of a table as CSV, or of a file."""
    source = data
    if isinstance(data, pd.DataFrame):
        source = folder / name
        data.to_csv(source, index=False)
    target = folder / "t.aez"
    aetool.compress(source, target, force=True, **options)
    return target


@pytest.fixture(scope="module")
def of_table(tmp_path_factory):
    """The archive of the table, which tests only read."""
    return archive_of(table(), tmp_path_factory.mktemp("ledger"))


def payload_bits(path) -> int:
    with Archive(path) as archive:
        stored = archive.reader
        return 8 * sum(len(stored.block(i).payload) for i in range(len(stored.blocks)))


def all_costs(path):
    with Archive(path) as archive:
        return [costs for _, costs in archive.costs()]


def check_sum(path) -> list:
    """The ledger of an archive is its payload; what belongs to no record is small and not less
    than nothing."""
    found = all_costs(path)
    taken = sum(float(costs.taken.sum()) for costs in found)
    overhead = sum(sum(costs.overhead.values()) for costs in found)
    assert taken + overhead == pytest.approx(payload_bits(path), rel=1e-9)
    assert all(float(costs.taken.min(initial=0)) >= 0 for costs in found)
    coders = sum(costs.overhead.get(ledger.CODERS, 0.0) for costs in found)
    assert coders >= -1e-6, "no symbol is said to take more than its stream has"
    return found


@pytest.mark.parametrize("rows", [1, 2, 40, 700, 3000])
@pytest.mark.parametrize("effort", ["fast", "default", "best"])
def test_the_ledger_is_the_payload(tmp_path, rows, effort):
    check_sum(archive_of(table(rows), tmp_path, effort=effort))


def test_coders_states_are_all_that_belongs_to_no_record(tmp_path):
    found = check_sum(archive_of(table(10_000), tmp_path))
    whole = sum(float(costs.taken.sum()) for costs in found)
    plans = sum(costs.overhead[ledger.PLANS] for costs in found)
    coders = sum(costs.overhead[ledger.CODERS] for costs in found)
    # 32 lanes of 32 bits for each of some ten streams
    assert coders < 0.02 * whole and plans < 8 * 1200


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n", 40),  # line ends that differ are a column
        lambda text: text + "a,b\n" * 3,  # ragged records: texts as they are
        lambda text: text.replace("on", '"on, so"'),
        lambda text: "\n".join(sorted(text.splitlines()[1:])) + "\n",
    ],
)
def test_whatever_the_text_is_like(tmp_path, change):
    source = tmp_path / "t.csv"
    source.write_bytes(change(table(900).to_csv(index=False)).encode())
    check_sum(archive_of(source, tmp_path))


def test_sentences_and_keys(tmp_path):
    rng = np.random.default_rng(3)
    price = {n: f"{v:.2f}" for n, v in enumerate(rng.uniform(1, 99, 40))}
    item = rng.integers(0, 40, 2500)
    sent = [f"order {1000 + n} sent by node{i % 9}, {i}.5 ms" for n, i in enumerate(item)]
    made = pd.DataFrame({"item": item, "price": [price[i] for i in item], "note": sent})
    made.loc[1234, "note"] = "order 2234 lost by node4, nobody knows why"
    path = archive_of(made, tmp_path)
    check_sum(path)
    assert operations.detect(path, top=1).row.tolist() == [1234]


def test_typed_tables_arrays_and_lines(tmp_path):
    frame = table(2000)
    pq.write_table(
        pa.Table.from_pandas(frame.assign(x=np.random.default_rng(0).normal(size=2000))),
        tmp_path / "t.parquet",
    )
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    rng = np.random.default_rng(1)
    np.save(tmp_path / "t.npy", np.round(rng.normal(size=(4000, 5)), 3))
    np.savez(tmp_path / "t.npz", a=rng.integers(0, 9, 3000), b=rng.integers(0, 9, (3000, 2)))
    named = {}
    for name in ("t.parquet", "t.jsonl", "t.npy", "t.npz"):
        path = archive_of(tmp_path / name, tmp_path)
        check_sum(path)
        found = operations.detect(path, top=3)
        assert len(found.row) == 3 and all(found.why)
        named[name] = {column for said in found.named for column, _, _ in said}
    assert named["t.parquet"] <= {*frame.columns, "x"}
    assert named["t.jsonl"] <= {*frame.columns, "keys"}


def test_blocks_are_of_their_own(tmp_path):
    frame = pd.concat([table(3000, seed) for seed in range(2)])
    small = dataclasses.replace(planning.FAST, block=1 << 17)
    found = check_sum(archive_of(frame, tmp_path, effort=small))
    assert len(found) > 1
    firsts = np.cumsum([0, *(len(costs.taken) for costs in found[:-1])])
    detected = operations.detect(tmp_path / "t.aez", all_rows=True)
    assert detected.row.tolist() == list(range(len(frame)))
    # ranks are of a block's own records, so the highest of each has the lowest p there is in it
    for first, costs in zip(firsts, found, strict=True):
        own = detected.p[first : first + len(costs.taken)]
        assert own.min() <= 3 / (1 + len(own))


@pytest.mark.parametrize("kept_cells", [costing.KEPT_CELLS, 200, 0])
def test_records_that_were_kept_are_reported_as_those_read_again(tmp_path, monkeypatch, kept_cells):
    frame = pd.concat([table(3000, seed) for seed in range(2)])
    small = dataclasses.replace(planning.FAST, block=1 << 17)
    archive = archive_of(frame, tmp_path, effort=small)
    every = operations.detect(archive, all_rows=True, append=["state", "load"])
    monkeypatch.setattr(costing, "KEPT_CELLS", kept_cells)
    found = operations.detect(archive, top=40, append=["state", "load"])
    assert len(found.row) == 40
    assert found.score.tolist() == every.score[found.row].tolist()
    assert found.bits.tolist() == every.bits[found.row].tolist()
    assert found.why == [every.why[row] for row in found.row.tolist()]
    for column, of_all in zip(found.table.values, every.table.values, strict=True):
        assert column.strings() == [of_all.strings()[row] for row in found.row.tolist()]
    assert (np.delete(every.score, found.row) <= found.score.min()).all()


def test_bounded_archives_and_those_of_a_model(tmp_path):
    check_sum(archive_of(table(2000), tmp_path, max_error={"load": "1%"}))
    frame = table(2000)
    frame.to_csv(tmp_path / "m.csv", index=False)
    model = aetool.fit(tmp_path / "m.csv", plugin="pca", codec=True)
    table(300, 1).to_csv(tmp_path / "s.csv", index=False)
    facts = aetool.compress(tmp_path / "s.csv", tmp_path / "t.aez", model, force=True)
    assert facts.get("shared")
    with Archive(tmp_path / "t.aez", model) as archive:
        ((_, costs),) = archive.costs()
        total = costs.taken.sum() + sum(costs.overhead.values())
        assert total == pytest.approx(8 * len(archive.reader.block(0).payload), rel=1e-9)
    assert operations.detect(tmp_path / "t.aez", model, top=2).flagged == 2


# ---- coders


TEXTS = [b"", b"a", b"the cat, the hat\n" * 400, bytes(range(256)) * 9,
         table(700).to_csv(index=False).encode()]  # fmt: skip


@pytest.mark.parametrize("name", ["stored", "lzma2", "bzip2", "zstd", "mixed", "mixed widely"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_costs_of_a_text_are_its_bytes(name, text):
    stage = stages.named(name)
    data = stage.squeeze(text, quick=False)
    if not text:
        return
    bits = stage.costs(data, text)
    assert bits.shape == (len(text),) and bits.min() >= 0
    # what belongs to no byte: heads of chunks, the last byte of an arithmetic code
    assert -1e-6 <= 8 * len(data) - bits.sum() <= 8 * 24 + 0.002 * 8 * len(data)
    unpacked, again = blobs.priced(blobs.pack(text, stage_names=(name,)))
    assert unpacked == text and again.shape == (len(text),)


def test_a_match_is_shared_by_what_it_covers():
    rng = np.random.default_rng(0)
    new = rng.integers(0, 256, 3000, dtype=np.uint8).tobytes()
    text = new + new + rng.integers(0, 256, 500, dtype=np.uint8).tobytes()
    for name in ("lzma2", "mixed", "mixed widely"):
        stage = stages.named(name)
        bits = stage.costs(stage.squeeze(text, quick=False), text)
        first, again, last = bits[:3000].mean(), bits[3100:6000].mean(), bits[6010:].mean()
        assert 7.5 < first < 8.6 and 7.5 < last < 9 and again < 0.2


def test_kernel_and_reference_cost_the_same(monkeypatch):
    text = table(60).to_csv(index=False).encode()
    by_kernel = [mixing.costs(text, ord(","), widely) for widely in (False, True)]
    monkeypatch.setattr(kernel, "C", None)
    by_reference = [mixing.costs(text, ord(","), widely) for widely in (False, True)]
    np.testing.assert_allclose(by_kernel, by_reference, rtol=0, atol=1e-9)


def test_symbols_take_what_their_frequencies_say():
    """An oracle by hand: one context, counts 1 to 3, each symbol judged without itself."""
    symbols = np.array([0, 0, 0, 1, 2, 2], np.uint16)
    layout = rans.Contexts(4, (), 8)
    bits = ledger.by_all_others(symbols, np.zeros(6, np.int64), layout)
    others = {0: 2, 1: 0, 2: 1}
    for symbol, own in zip(symbols.tolist(), bits.tolist(), strict=True):
        smoothed = (others[symbol] + 8 * 0.25) / (5 + 8)
        likely = (1 + smoothed * (rans.TOTAL - 4)) / rans.TOTAL
        assert own == pytest.approx(-np.log2(likely), rel=1e-12)


@pytest.mark.parametrize("transform", list(Transform))
@pytest.mark.parametrize("has_value", [[True, False, False], [False, False, False], None])
def test_what_no_transform_can_predict_are_values_that_there_are(transform, has_value):
    present = None if has_value is None else np.array(has_value)
    count = 3 if present is None else int(present.sum())
    # of a decoder's stream the mask alone is known
    stream = Stream(np.zeros(0, np.int64), present)
    known = Known(3, [np.arange(3)])
    plan = Plan(transform=transform, of=0)
    first = transforms.beginning(plan, stream, known).tolist()
    wanted = {Transform.SECOND: 2, Transform.GROUPED: 1}
    unpredicted = {Transform.DIFFERENCE, Transform.LINEAR, Transform.LINEAR_DIFFERENCE, Transform.KEYED}  # fmt: skip
    most = wanted.get(transform, int(transform in unpredicted))
    assert first == list(range(min(most, count)))


def test_a_stream_of_one_value_among_gaps_is_priced():
    present = np.array([True, False, False])
    plan = Plan(
        starts=np.array([0, 1]),
        widths=np.zeros(2, np.int64),
        complete=True,
        transform=Transform.SECOND,
    )
    data = integers.encode(plan, Stream(np.array([1]), present), Known(3))
    bits = ledger.Ledger()
    bits.begin_column(3, [])
    bits.begin_stream(True)
    source = integers.Source(data)
    stream = Stream(np.zeros(0, np.int64), present)
    decoded = integers.decode(plan, source, stream, 1, Known(3), None, bits)
    assert decoded.tolist() == [1]
    assert bits.taken[0][0] > 0 and not bits.taken[0][1:].any()


def test_learning_is_taken_off_the_first():
    rng = np.random.default_rng(0)
    bits = rng.uniform(2, 4, 2000) + 20 * np.exp(-np.arange(2000) / 40)
    judged = ledger.without_learning(bits)
    assert judged[:16].mean() < 8 and abs(judged[64:].mean() - 3) < 0.3
    assert (judged <= bits).all() and (judged >= 0).all()


# ---- records


def test_an_odd_cell_is_found_and_named(tmp_path):
    found = operations.detect(archive_of(table().drop(columns="note"), tmp_path), top=1)
    assert found.row.tolist() == [1499]
    column, cell, price = found.named[0][0]
    assert (column, cell) == ("load", "61.03") and "bits, usually" in price


def test_the_first_records_are_not_blamed_for_being_the_first(tmp_path):
    ranks, others = [], []
    for seed in range(4):
        found = operations.detect(archive_of(table(2000, seed), tmp_path), all_rows=True)
        took = found.bits[:30].mean() / found.bits[1000:].mean()
        assert took > 1.08, "they do take more"
        ranks.append(found.p[:30])
        others.append(found.p[30:].mean())
    # ranks of thirty records of each table, as those of all others if nobody is blamed
    assert (
        abs(np.mean(ranks) - np.mean(others)) < 0.1 and (np.concatenate(ranks) < 0.02).mean() < 0.08
    )


def cities(rows=2400, seed=5):
    """Cities in any order, what is told of each by its name, and prices."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 24, rows)
    place, incomes = rng.normal(size=24) * 40, rng.integers(3000, 28000, 24) / 12
    return pd.DataFrame({
        "city": [f"city {number:02d}" for number in city],
        "longitude": np.round(place[city], 6),
        "income": np.round(incomes[city], 4),
        "price": np.round(rng.gamma(4, 200, rows)),
    })  # fmt: skip


def test_the_first_record_of_a_key_is_not_blamed_for_what_others_of_it_have_too(tmp_path):
    frame = cities()
    first = ~frame.city.duplicated().to_numpy()
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    assert found.bits[first].mean() > 1.5 * found.bits[~first].mean(), "they do take more"
    # as ordinary as others: the median of their ranks is in the middle half of all
    assert 0.2 < np.median(found.p[first]) < 0.8
    assert (found.p[first] < 0.02).mean() <= 0.1


def test_a_record_that_contradicts_its_key_is_the_highest(tmp_path):
    frame = cities()
    frame.loc[1500, "longitude"] = 181.123456
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    assert np.argmax(found.score) == 1500 and found.named[1500][0][0] == "longitude"
    # of a key of one record alone nothing else tells its longitude
    frame.loc[1500, ["city", "longitude"]] = "hamlet", 181.123456
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    assert np.argmax(found.score) == 1500


def test_the_record_behind_an_odd_one_is_not_blamed_for_the_way_back(tmp_path):
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(3000, 2)), axis=0).round(2)
    frame = pd.DataFrame(walks, columns=["level", "load"])
    odd = np.array([500, 1200, 2000])
    frame.loc[odd, "level"] += 60
    # of several alike the first is odd, and what comes behind the last
    frame.loc[2500:2502, "load"] += 80
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    assert (found.p[[*odd, 2500, 2503]] < 0.005).all()
    # the way back takes as many bits as the way there
    assert (found.bits[odd + 1] > found.score[odd + 1] + 4).all()
    assert (found.score[odd] > found.score[odd + 1] + 4).all()


def test_p_is_a_rank_and_a_rare_word_costs_its_letters(tmp_path):
    frame = table(1500)
    frame.loc[700, "state"] = "an unheard-of state of affairs"
    path = archive_of(frame, tmp_path)
    found = operations.detect(path, all_rows=True, append=["state"])
    assert found.row[np.argmin(found.p)] == 700 == np.argmax(found.score)
    assert found.p.min() == pytest.approx(2 / 1501)
    (place,) = np.flatnonzero(found.row == 700)
    assert found.named[place][0][0] == "state" and found.table["state"].strings()[700].startswith(
        "an "
    )


def test_bits_and_what_belongs_to_none_are_the_payload(of_table):
    found = operations.detect(of_table, all_rows=True)
    told = found.ledger
    with Archive(of_table, None) as archive:
        costs = [cost for _, cost in archive.costs(None)]
    judged = sum(float(cost.judged.sum()) for cost in costs)
    everything = judged + told.learning + sum(told.overhead.values())
    assert everything == pytest.approx(payload_bits(of_table), rel=1e-9)
    assert found.bits.sum() + sum(told.overhead.values()) == pytest.approx(payload_bits(of_table))
    assert told.file == of_table.stat().st_size and told.payload == payload_bits(of_table) // 8
    assert sum(told.columns.values()) == pytest.approx(found.bits.sum())


def beyond(bits: np.ndarray) -> np.ndarray:
    return np.maximum(bits - np.quantile(bits, 0.75), 0)


def counted(prices: list[np.ndarray]) -> np.ndarray:
    """What cells count for by all their prices: the most beyond the usual, and a quarter of the
    others."""
    excess = np.stack([beyond(bits) for bits in prices])
    highest = excess.max(axis=0)
    return highest + (excess.sum(axis=0) - highest) / 4


def test_a_score_is_what_cells_cost_beyond_the_usual_of_their_columns(of_table):
    found = operations.detect(of_table, all_rows=True)
    with Archive(of_table, None) as archive:
        ((block, cost),) = archive.costs(None)
        of_all = archive.content.numbers(archive, block)
    by_column = {name: [bits] for name, bits in zip(cost.names, cost.judged.T, strict=True)}
    # the two columns of numbers that do not follow their rows have other prices, too
    numbers = {name: table()[name].replace("", np.nan).astype(float) for name in ("load", "gap")}
    for name, values in numbers.items():
        at_most = values.rank(method="max")
        as_far = np.minimum(at_most, (-values).rank(method="max"))
        bits = np.log2((values.count() + 1) / (as_far + 1)).fillna(0)
        by_column[name].append(bits.to_numpy())
        away = (values - values.median()).abs()
        bits = 0.25 * 1.5 * np.log2(1 + (away / away.median()) ** 2 / 2)
        by_column[name].append(bits.fillna(0).to_numpy())
    scaled = {}
    for name, values in numbers.items():
        away = values - values.median()
        drawn_in = (away / away.abs().median()).clip(-10, 10)
        centred = (drawn_in - drawn_in.mean()).fillna(0)
        scaled[name] = (centred / centred.std(ddof=0)).to_numpy()
    for name, other in (("load", "gap"), ("gap", "load")):
        slope = (scaled[name] @ scaled[other] / ROWS) / (1 + outlying.RIDGE)
        left = scaled[name] - slope * scaled[other]
        far = pd.Series(np.abs(left - np.median(left)))
        bits = np.log2((ROWS + 1) / ((-far).rank(method="max") + 1))
        bits = np.minimum(bits, 1.5 * np.log2(1 + (far / far.median()) ** 2 / 2))
        bits[numbers[name].isna()] = 0
        by_column[name].append(bits.to_numpy())
    # and what the numbers cost together, by their distance from those of other records
    together = far_records.excess_bits(of_all, ROWS).sum(axis=1)
    score = sum(map(counted, by_column.values())) + together
    assert found.score == pytest.approx(score, abs=0.02)
    # what `why` says of a record that one cell makes odd adds up to its score
    (place,) = np.flatnonzero(found.row == 1499)
    prices = [price for _, _, price in found.named[place]]
    costs, usual = zip(*(re.findall(r"[\d.]+", price) for price in prices), strict=True)
    added = sum(map(float, costs)) - sum(map(float, usual))
    assert added == pytest.approx(found.score[place], rel=0.15) and added > 10


def test_a_number_costs_by_how_many_lie_as_far_out():
    """An oracle by hand: nine numbers, of which 7 stands alone at its end, and 5 comes twice."""
    numbers = np.array([5, 1, 5, 2, 7, 1, 4, np.nan, 1, 2], float)
    by_column, by_distance, by_others = outlying.bits_of([numbers, None], 10)
    as_far = np.array([3, 3, 3, 5, 1, 3, 4, 0, 3, 5])
    wanted = np.log2(10 / (as_far + 1))
    wanted[7] = 0
    np.testing.assert_allclose(by_column[:, 0], wanted)
    # from the median, 2, they lie 3, 1, 3, 0, 5, 1, 2, 1 and 0 away, 1 in the median
    squares = np.array([9, 1, 9, 0, 25, 1, 4, 0, 1, 0])
    np.testing.assert_allclose(by_distance[:, 0], 0.375 * np.log2(1 + squares / 2))
    assert not by_column[:, 1].any() and not by_distance[:, 1].any() and not by_others.any(), (
        "of one column nothing is foretold"
    )


def test_a_number_that_others_do_not_foretell_is_far():
    rng = np.random.default_rng(5)
    first = rng.normal(size=2000)
    columns = [first, 3 * first + rng.normal(0, 0.1, 2000), rng.normal(size=2000)]
    # each is usual in its column
    columns[0][700] = 1.0
    columns[1][700] = -3.0
    by_column, _, by_others = outlying.bits_of(columns, 2000)
    assert by_column[700, :2].max() < 4 and by_others[700, :2].min() > 9.5
    with_huge = [np.where(np.arange(2000) == 3, 1e308, first), -columns[1] * 1e307, columns[2]]
    for bits in outlying.bits_of(with_huge, 2000):
        assert np.isfinite(bits).all() and bits.min() >= 0
    # each row of so few would be learned, not foretold
    few = outlying.bits_of([column[:29] for column in columns], 29)
    assert few[0].any() and few[1].any() and not few[2].any()


def test_of_many_departures_alike_none_is_the_largest():
    rng = np.random.default_rng(6)
    columns = [rng.uniform(0, 1, 3000), rng.integers(0, 9, 3000).astype(float)]
    _, _, by_others = outlying.bits_of(columns, 3000)
    assert by_others.max() < 4, "not the 11.6 bits of one in 3,000"


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(3000.0),
        np.sin(np.arange(3000) / 40),
        np.arange(3000) % 2.0,
        np.where(np.arange(3000) % 5, np.nan, 1),
        np.zeros(0),
    ],
    ids=["clock", "wave", "two", "gaps", "none"],
)
def test_columns_that_have_no_far_numbers(numbers):
    for bits in outlying.bits_of([numbers, numbers], len(numbers)):
        assert not bits.any()


def test_a_twentieth_of_numbers_far_out_costs_more_than_the_like_number_at_the_other_end():
    """One in twenty is no rare place, but 1,000 times the typical distance is far."""
    numbers = np.random.default_rng(4).normal(size=2000)
    numbers[::20] += 1000
    by_column, by_distance, _ = outlying.bits_of([numbers], 2000)
    low = np.argsort(numbers)[:100]
    assert by_column[::20].min() == by_column[low].min()
    assert by_distance[::20].min() > by_distance[low].max() + 5


@pytest.mark.parametrize("kind", ["csv", "quoted", "blanks", "jsonl", "parquet", "npz"])
def test_numbers_are_read_of_every_content(tmp_path, kind):
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"a": rng.normal(size=900), "n": rng.integers(-9, 99, 900)})
    frame.loc[7, "a"] = 1.5e-9
    if kind != "npz":
        frame["word"] = rng.choice(["north", "south"], 900)
    path = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    elif kind == "npz":
        np.savez(path, **{name: frame[name].to_numpy() for name in frame})
    else:
        text = frame.to_csv(index=False, quoting=1 if kind == "quoted" else 0)
        path.write_text(text.replace(",", ", ") if kind == "blanks" else text)
    aetool.compress(path, tmp_path / "t.aez")
    with Archive(tmp_path / "t.aez") as archive:
        ((block, costs),) = archive.costs()
        numbers = dict(zip(costs.names, archive.content.numbers(archive, block), strict=True))
    for name in ("a", "n"):
        np.testing.assert_allclose(numbers[name], frame[name], rtol=1e-12, atol=1e-14)
    word = numbers.get("word")
    assert word is None or np.isnan(word).all()


def test_cells_that_are_numbers_in_other_words():
    cells = [b"1.50", b"", b"-7", b"1e3", b'"4"', b" 5", b"007", b"inf", b"nan", b"x", b'"', b"+2"]
    read = number_cells.floats(spans.behind_another(cells))
    nan = np.nan
    np.testing.assert_array_equal(read, [1.5, nan, -7, 1e3, 4, 5, 7, nan, nan, nan, nan, 2])
    assert number_cells.floats(spans.behind_another([])).shape == (0,)


def test_a_cheap_cell_does_not_hide_an_odd_one_beside_it(tmp_path):
    rng = np.random.default_rng(4)
    rows = 2000
    state = rng.choice(["idle", "busy"], rows).astype(object)
    is_off = rng.random(rows) < 0.4
    # five of the rows whose load is 0, which takes a bit for the fifty of any other
    lost = is_off & (np.cumsum(is_off) % 150 == 7)
    state[lost] = "lost"
    frame = pd.DataFrame({"load": np.where(is_off, 0, rng.normal(size=rows)), "state": state})
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    assert auroc(found.score, lost) > 0.99
    assert auroc(found.bits, lost) < 0.6, "by all that they take they are ordinary"


def test_the_same_by_every_choice(of_table):
    whole = operations.detect(of_table, all_rows=True)
    assert (whole.anomaly == (whole.score > whole.threshold)).all()
    ranked = operations.detect(of_table, top=5)
    assert ranked.score.tolist() == sorted(whole.score, reverse=True)[:5]
    part = operations.detect(of_table, contamination=0.01)
    # of several with the same score any may be the thirtieth
    assert part.flagged == 30 == len(set(part.row))
    assert sorted(whole.score[part.row]) == sorted(whole.score)[-30:]
    above = operations.detect(of_table, threshold=float(whole.score[1499]) - 0.001)
    assert 1499 in above.row
    rare = operations.detect(of_table, fpr=0.01)
    assert 15 <= rare.flagged <= 45
    assert operations.detect(of_table, fdr=0.1).flagged >= 0


def test_judged_by_some_columns_alone(of_table, tmp_path):
    found = operations.detect(of_table, top=5, columns=["load"])
    assert found.row[0] == 1499
    assert {column for said in found.named for column, _, _ in said} == {"load"}
    with pytest.raises(ParamError, match="no column 'lod'; there are time, level"):
        operations.detect(of_table, columns=["lod"])
    table().to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(ParamError, match="columns is of archives"):
        operations.detect(tmp_path / "c.csv", columns=["load"])


def test_columns_of_one_name_are_all_appended(tmp_path):
    rng = np.random.default_rng(6)
    numbers = rng.integers(0, 9, (200, 3)) + np.array([0, 100, 200])
    lines = [f"{k},{a},{b},{c}\n" for k, (a, b, c) in enumerate(numbers.tolist())]
    (tmp_path / "t.csv").write_text("row,x,x,x\n" + "".join(lines))
    operations.compress(tmp_path / "t.csv", tmp_path / "t.aez")
    found = operations.detect(tmp_path / "t.aez", append=[], all_rows=True).table
    assert found.names == ("row", "x", "x.2", "x.3")
    for place, name in enumerate(("x", "x.2", "x.3")):
        assert found[name].strings() == [str(n) for n in numbers[:, place]]
    second = operations.detect(tmp_path / "t.aez", append=["x.2"], all_rows=True).table
    assert second["x.2"].strings() == found["x.2"].strings()
    with pytest.raises(ParamError, match="no column 'x.4'; there are row, x, x.2, x.3"):
        operations.detect(tmp_path / "t.aez", append=["x.4"], all_rows=True)


def test_in_python(tmp_path):
    path = archive_of(table(500), tmp_path)
    found = aetool.detect(path)
    assert list(found.columns) == ["row", "score", "p", "why", "bits", "anomaly"]
    assert len(found) == 500 and found["bits"].dtype == np.float64
    some = aetool.detect(path, top=4, all_rows=False, columns=["load", "state"])
    assert len(some) == 4


def test_what_says_nothing_of_an_archive_is_refused(tmp_path):
    path = archive_of(table(200), tmp_path)
    with pytest.raises(ParamError, match="plugin: an archive is judged by what its records take"):
        aetool.detect(path, plugin="pca")
    with pytest.raises(ParamError, match="how its text is written"):
        aetool.detect(path, delimiter=";")
    with pytest.raises(ParamError, match="sheet is of pictures, and .* is an archive"):
        aetool.detect(path, sheet=tmp_path / "s.png")
    with pytest.raises(ParamError, match="top must be 0 or more"):
        operations.detect(path, top=-1)


def test_what_holds_no_table_is_one_clear_line(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "a.txt").write_text("words\n" * 9)
    aetool.compress(folder, tmp_path / "f.aez")
    (tmp_path / "t.bin").write_bytes(bytes(range(256)) * 4)
    aetool.compress(tmp_path / "t.bin", tmp_path / "b.aez", keep_files=True)
    pictures = np.random.default_rng(0).integers(0, 255, (9, 12, 12), dtype=np.uint8)
    np.save(tmp_path / "p.npy", pictures)
    for path in (tmp_path / "f.aez", tmp_path / "b.aez"):
        with pytest.raises(DataError, match="and what a record costs is told of tables"):
            operations.detect(path)
    aetool.compress(tmp_path / "p.npy", tmp_path / "p.aez")
    try:
        assert operations.detect(tmp_path / "p.aez").total in (9, 108)
    except DataError as error:
        assert "pictures" in str(error)


def test_damage_is_said(tmp_path):
    path = archive_of(table(400), tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(AetoolError, match="damaged"):
        operations.detect(path)


def test_no_records(tmp_path):
    found = operations.detect(archive_of(table(5).head(0), tmp_path))
    assert found.total == found.flagged == 0


# ---- the command line


def test_on_the_command_line(of_table, tmp_path, run):
    done = run("detect", of_table, "--top", "2", "--format", "jsonl", "--columns", "load,state")
    first = json.loads(done.out.splitlines()[0])
    assert first["row"] == 1500 and first["why"][0]["column"] == "load" and first["bits"] > 10
    assert "of no record: learning" in done.err
    lines = run("detect", of_table, "--explain-columns").out.splitlines()
    assert len(lines) == 8 and lines[0].startswith("note") and "bits a record, usually" in lines[0]
    page = tmp_path / "page.html"
    run("detect", of_table, "--top", "3", "--columns", "load,state", "--report", page, "--count")
    text = page.read_text(encoding="utf-8")
    assert "takes more bits than usual" in text and "61.03" in text
    refused = run("detect", of_table, "-O", "latent=3")
    assert refused.status == 2 and refused.err.count("\n") == 1


def test_what_columns_take_is_told_of_some_and_to_programs(of_table, tmp_path, run):
    every = run("detect", of_table, "--explain-columns").out.splitlines()
    lines = run("detect", of_table, "--explain-columns", "--columns", "load,state").out.splitlines()
    named = [line.split()[0] for line in lines[:-1]]
    assert sorted(named) == ["load", "state"] and lines[-1] == every[-1]
    (of_load,) = [line for line in every if line.startswith("load")]
    assert lines[named.index("load")].split() == of_load.split(), "shares are of all columns"
    told = json.loads(run("detect", of_table, "--explain-columns", "--json").out)
    assert [one["column"] for one in told] == [line.split()[0] for line in every[:-1]]
    whole = costing.ledger_of(of_table)
    assert {one["column"]: one["bytes"] for one in told} == {
        name: round(bits / 8) for name, bits in whole.columns.items()
    }
    assert sum(one["share"] for one in told) == pytest.approx(1, abs=1e-5)
    text = tmp_path / "columns.txt"
    assert run("detect", of_table, "--explain-columns", "-o", text).out == ""
    assert text.read_text(encoding="utf-8").splitlines() == every
    refused = run("detect", of_table, "--explain-columns", "--columns", "nothing")
    assert refused.status == 2 and "no column 'nothing'" in refused.err
    source = tmp_path / "source.csv"
    table(300).to_csv(source, index=False)
    refused = run("detect", source, "--explain-columns", "--json")
    assert refused.status == 2 and "in words" in refused.err
    refused = run("detect", source, "--explain-columns", "--columns", "load")
    assert refused.status == 2 and "--columns is of archives" in refused.err


def test_a_column_that_is_not_there_is_named_though_nothing_is_flagged(of_table, run):
    refused = run("detect", of_table, "--threshold", "1e9", "--id", "nothing")
    assert refused.status == 2 and "no column 'nothing'" in refused.err
    assert run("detect", of_table, "--threshold", "1e9", "--id", "load").status == 0


def test_a_file_that_is_not_there_is_missed_first(tmp_path, run):
    missing = run("detect", tmp_path / "no.aez", "--columns", "load")
    assert missing.status == 2 and "no.aez" in missing.err and "--columns" not in missing.err


def test_flagged_while_compressing(tmp_path, run):
    source, target = tmp_path / "t.csv", tmp_path / "t.aez"
    table(600).drop(columns="note").to_csv(source, index=False)
    done = run("compress", source, "-o", target, "--flag", "3")
    again = run("detect", target, "--top", "3")
    assert done.status == 0 and done.out == again.out and done.out.count("\n") == 4
    figures = aetool.compress(source, target, flag=2, force=True)
    assert len(figures["costliest"]) == 2 and figures["costliest"]["score"].is_monotonic_decreasing
    refused = run("compress", source, "-c", "--flag", "3")
    assert refused.status == 2 and "standard output" in refused.err
    refused = run("compress", source, source, "--flag", "3")
    assert refused.status == 2 and "one FILE" in refused.err
    with pytest.raises(ParamError, match="flag must be 0 or more"):
        aetool.compress(source, target, flag=-1, force=True)
    told = run("compress", source, "-f", "-o", target, "--keep-files", "--flag", "3")
    assert told.status == 0 and "note: --flag: " in told.err and not told.out


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ms"), pa.date32(), pa.timestamp("us"), pa.duration("s")], ids=str
)
def test_moments_beyond_what_python_counts_are_shown_by_their_number(tmp_path, kind):
    """Parquet holds years that datetime does not: the archive is not damaged for that."""
    far = 2**30 if pa.types.is_date32(kind) else 2**62
    source = tmp_path / "far.parquet"
    pq.write_table(pa.table({"t": pa.array([0, 1, far, None], kind)}), source)
    path = archive_of(source, tmp_path)
    cells = aetool.detect(path, append=["t"], all_rows=True)["t"].tolist()
    assert cells[2] == str(far) and cells[3] in ("", None)


def test_a_column_that_is_named_twice_is_judged_once(tmp_path):
    path = archive_of(table(300), tmp_path)
    once = aetool.detect(path, columns=["load"], all_rows=True)
    twice = aetool.detect(path, columns=["load", "load"], all_rows=True)
    pd.testing.assert_frame_equal(once, twice)


def test_an_archive_is_not_judged_by_an_engine(tmp_path):
    with pytest.raises(ParamError, match="judged in one process"):
        aetool.detect(archive_of(table(300), tmp_path), executor="threads:2")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "empty"),
        (" " * 5, "empty"),
        (" " * 41, "empty"),
        (" " * 41 + "x", "x"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 40 + "..."),
        ("x" * 20 + " " * 30 + "y", "x" * 20 + "..."),
    ],
)
def test_a_cell_is_said_in_forty_letters(cell, said):
    assert costing.shortened(cell) == said


@pytest.mark.parametrize("cell", ["17/06/2013 05:00", "", "unknown"])
def test_the_row_behind_a_cell_without_a_value_is_not_blamed_for_the_longer_step(tmp_path, cell):
    rng = np.random.default_rng(3)
    hours = pd.date_range("2013-05-01", periods=2000, freq="h").strftime("%Y-%m-%d %H:%M")
    frame = pd.DataFrame({"when": hours, "load": rng.integers(49, 52, 2000)})
    frame.loc[1133, "when"] = cell
    # what really is a step of two hours stays dear
    frame = frame.drop(index=400).reset_index(drop=True)
    found = operations.detect(archive_of(frame, tmp_path), all_rows=True)
    highest = np.argsort(-found.score)[:2]
    assert set(highest.tolist()) == {1132, 400}
    assert found.score[1133] < found.score[400] / 4
