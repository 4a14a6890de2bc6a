"""What a model knows: shared columns and plans, and decoders (FORMAT.md, sections 6 and 7)."""

import io
import json
import lzma
import zipfile

import numpy as np

from tests.format_reader.blobs import blob
from tests.format_reader.columns import columns_of, description
from tests.format_reader.container import varint
from tests.format_reader.natives import INT64, gap_cells, real, whole
from tests.format_reader.streams import Streams, listed

MOST_MARKED = 65536
DTYPES = {"U16": "<u2", "I16": "<i2", "I32": "<i4", "I64": "<i8"}


def shared_of(model, is_exact=False):
    """Arrays and words of a bundle's member for text, exact or not, or for pictures."""
    stored = zipfile.ZipFile(io.BytesIO(model))
    name = "members/0/codec.safetensors.xz"
    of_exact = "members/0/exact.safetensors.xz"
    if is_exact and of_exact in stored.namelist():
        name = of_exact
    packed = stored.read(name)
    raw = lzma.decompress(packed)
    size = int.from_bytes(raw[:8], "little")
    head, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    known = json.loads(head.pop("__metadata__")["aetool"])
    for name, entry in head.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        known[name] = flat.reshape(entry["shape"])
    return known


def shared_columns(block, shared):
    """columns_of a block under a shared model."""
    about, _ = description(block.payload)
    if "own" in about:
        return columns_of(block)
    metas = about.get("columns") or [None] * len(shared["metas"])
    metas = [
        own if own and "k" in own else {**shared["metas"][place], **(own or {})}
        for place, own in enumerate(metas)
    ]
    full = {"e": shared["format"]["newline"], **about, "columns": metas}
    full.setdefault("plans", [None] * len(shared["plans"]))
    return columns_of(block, lambda *parts: SharedStreams(shared, *parts), full)


class SharedStreams(Streams):
    """Streams of which some have the model's plan (null), and then begin with its counts."""

    def __init__(self, shared, rows, plans, part, joined):
        super().__init__(rows, plans, part, joined)
        self.shared, self.marks = shared, {}
        of_model = [i for i, plan in enumerate(plans[:MOST_MARKED]) if plan is None]
        if joined is not None and of_model:
            still = shared["stillness"]
            numbers = [(len(still), listed(of_model))]
            marks = self.joined.symbols(len(of_model), 3, numbers, 2, still)
            self.marks = dict(zip(of_model, marks, strict=True))

    def plan(self, number):
        if self.plans[number] is not None:
            return self.plans[number], 0
        prime = self.shared[f"prime.{number}"].astype(np.int64)
        return self.shared["plans"][number], prime

    def next(self, present):
        number = len(self.values)
        mark = self.marks.get(number, 0)
        if not mark:
            return super().next(present)
        value = self.shared["usual"][number]
        if mark == 2:
            code, self.raw = varint(self.raw)
            value += -(code + 1 >> 1) if code & 1 else code >> 1
        plan, _ = self.plan(number)
        return self.keep(plan, present, np.full(int(present.sum()), value))


# ---- decoders


def decoded_columns(header, columns, rows, model):
    """{name: values} of a block of a lossy table. model: the bundle that decodes."""
    import onnxruntime

    bundle = zipfile.ZipFile(io.BytesIO(model))
    session = onnxruntime.InferenceSession(bundle.read("members/0/decoder.onnx"))
    schema = json.loads(bundle.read("manifest.json"))["schema"]["columns"]
    modelled = [column for column in schema if column["kind"] in ("number", "category", "date")]
    names = [column["name"] for column in modelled]
    kept = len(header["quantiser"]["kept"])
    code = code_of(header["quantiser"], columns[:kept], rows)
    x = session.run(["x_hat"], {session.get_inputs()[0].name: code})[0]
    for name, step in header.get("corrections", []):
        # where the decoder expects a gap they are added to the median
        usual = modelled[names.index(name)].get("scale", {}).get("center", 0.0)
        decoded = x[:, names.index(name)]
        decoded[np.isnan(decoded)] = usual
        x[:, names.index(name)] += columns[kept].values * float.fromhex(step)
        kept += 1
    bits = np.frombuffer(blob(columns[kept].blob), np.uint8)
    gaps = np.unpackbits(bits, count=x.size).reshape(x.shape) if len(bits) else x * 0
    exact = iter(columns[kept + 1 :])
    frame = {}
    for entry in header["columns"]:
        name = entry["name"]
        if entry["stored"] != "model":
            frame[name] = exact_column(next(exact))
            continue
        place = names.index(name)
        values = written(modelled[place], x[:, place], header["ranges"])
        missing = gaps[:, place].tolist()
        frame[name] = [None if gap else v for v, gap in zip(values, missing, strict=True)]
    return frame


def code_of(quantiser, columns, rows):
    """The code of records, (rows, units)."""
    centre = [float.fromhex(value) for value in quantiser["centre"]]
    step = [float.fromhex(value) for value in quantiser["step"]]
    code = np.tile(centre, (rows, 1))
    for unit, column in zip(quantiser["kept"], columns, strict=True):
        code[:, unit] += column.values * step[unit]
    return code.astype(np.float32)


def written(column, values, ranges):
    """What a column restores of what the decoder gives."""
    if column.get("levels"):
        return [column["levels"][int(value)] for value in values]
    if column["kind"] == "number":
        unit = 10.0 ** column["decimals"]
        values = np.clip(np.rint(values * unit) / unit, *ranges[column["name"]])
    return values.tolist()


def exact_column(column):
    """A column that is stored beside the code; NaN or None where it is missing."""
    if column.meta["k"] == "real":
        return real(column, 64).values.tolist()
    if column.meta["k"] == "int":
        return whole(column, *INT64)
    return [None if cell is None else cell.decode() for cell in gap_cells(column)]
