"""Coverage-guided fuzzing of the readers: `make fuzz` runs each for ten minutes (needs atheris).

    python tests/fuzz.py archive|bundle|table CORPUS -max_total_time=600

Only AetoolError may come out. What once broke a reader is kept in tests/finds and replayed by the
suite.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import lzma
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
ODD = [
    2**62,
    -(2**63),
    2**31,
    65536,
    300,
    64,
    2,
    1,
    0,
    -1,
    1.5,
    "",
    "m",
    "n",
    None,
    True,
    [],
    {},
    [1, 1],
]
GOLDEN = Path(__file__).parent / "golden" / "3.0"


def archive(data: bytes) -> None:
    """Decode a block's payload as if all checksums were right: u16 rows (its highest bit: under the
    golden model), u16 size of its JSON, which is packed here as it must be, and the rest."""
    from aetool.codec import blobs, blocks, records, words
    from aetool.errors import AetoolError

    rows, size = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
    given, rows = (golden_shared() if rows >> 15 else None), rows & 0x7FFF
    try:
        described = words.deflate(json.loads(data[4 : 4 + size])) if size else b""
    except (ValueError, RecursionError):
        return
    payload = blobs.varint(len(described)) + described + data[4 + size :]
    try:
        content = blocks.decode(payload, rows, bytes(8), given)
        records.decode(content, ",", rows, slice(0, rows))
    except AetoolError:
        pass


@functools.cache
def golden_shared() -> Any:
    """What the columns of the golden model share with its archives."""
    from aetool.codec import shared

    return shared.shared_of(golden_model())


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """An archive's block with a value of its JSON replaced, or bytes changed as libFuzzer does."""
    import atheris

    rng = random.Random(seed)
    size = int.from_bytes(data[2:4], "little")
    try:
        words = json.loads(data[4 : 4 + size])
        change_one(words, rng)
        if rng.random() < 0.2:
            change_one(words, rng)
        head = json.dumps(words).encode()
    except (ValueError, IndexError, TypeError, RecursionError):
        return atheris.Mutate(data, most)
    rest = data[4 + size :]
    if rng.random() < 0.3 and rest:
        rest = atheris.Mutate(rest, max(1, most - len(head) - 3))
    made = data[:2] + (len(head) & 0xFFFF).to_bytes(2, "little") + head + rest
    return made if len(made) <= most else atheris.Mutate(data, most)


def change_one(words: object, rng: random.Random) -> None:
    """Replace one value, anywhere in a JSON, by an odd one, or by another value of it."""
    places: list[tuple] = []

    def walk(node) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(words)
    (node, key), (other, there) = rng.choice(places), rng.choice(places)
    node[key] = (
        rng.choice([*ODD, other[there]]) if rng.random() < 0.8 else [node[key], other[there]]
    )


def pieces(data: bytes) -> list[bytes]:
    """Split bytes into the pieces of a bundle: each a u32 length and that many bytes."""
    out, at = [], 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        out.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return out


def whole(parts: list[bytes]) -> bytes:
    """Join pieces, each behind its length: the inverse of `pieces`."""
    return b"".join(len(p).to_bytes(4, "little") + p for p in parts)


def bundle(data: bytes) -> None:
    """Load a bundle as if all its hashes were right: pieces are its manifest, the JSON of its codec
    (or of what it says of samples), the arrays of that, and its graphs."""
    from aetool import bundle as bundles
    from aetool.canonical import canonical
    from aetool.codec import shared
    from aetool.errors import AetoolError
    from aetool.fits import recipes

    parts = pieces(data)
    try:
        manifest, words = json.loads(parts[0]), json.loads(parts[1])
        header = {"__metadata__": {"aetool": canonical(words).decode()}}
        arrays = json.loads(parts[2])
        raw = json.dumps(header | arrays).encode()
        codec = lzma.compress(len(raw).to_bytes(8, "little") + raw + parts[3], preset=0)
        names = ("encoder.onnx", "decoder.onnx", "score.onnx", bundles.CODEC)
        graphs = dict(zip(names, [*parts[4:], codec], strict=False))
        if type(manifest) is dict:
            manifest["members"] = {
                n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()}
                for n, d in graphs.items()
            }
        made = bundles._pack(manifest, graphs)
    except (ValueError, RecursionError, IndexError, TypeError):
        return
    with contextlib.suppress(AetoolError):
        shared.from_bytes(codec, "fuzz")
    with contextlib.suppress(AetoolError):
        recipes.Recipe.of(dataclasses.replace(golden_model(), graphs={bundles.SAMPLING: codec}))
    with contextlib.suppress(AetoolError):
        bundles.from_bytes(made, "fuzz")


def mutate_bundle(data: bytes, most: int, seed: int) -> bytes:
    """One value of a JSON replaced, or bytes of a graph or an array changed."""
    import atheris

    rng, parts = random.Random(seed), pieces(data)
    if not parts:
        return data
    which = rng.choice([0, 0, 1, 1, 1, 2, *range(len(parts))]) % len(parts)
    try:
        words = json.loads(parts[which])
        change_one(words, rng)
        parts[which] = json.dumps(words).encode()
    except (ValueError, IndexError, TypeError, RecursionError):
        room = max(1, most - len(data) + len(parts[which]))
        parts[which] = atheris.Mutate(parts[which], room)
    made = whole(parts)
    return made if len(made) <= most else data


@functools.cache
def golden_model() -> Any:
    """The golden model."""
    from aetool import bundle as bundles

    return bundles.load(GOLDEN / "model.aem")


def bundle_seed(member: bytes = b"") -> bytes:
    """The golden model in pieces, with this in place of its codec."""
    from aetool import bundle as bundles

    model = golden_model()
    manifest = {**model._manifest(), "members": {}}
    raw = lzma.decompress(member or model.graphs[bundles.CODEC])
    size = int.from_bytes(raw[:8], "little")
    arrays = json.loads(raw[8 : 8 + size])
    words = arrays.pop("__metadata__")["aetool"]
    graphs = [model.graphs[n] for n in bundles.GRAPHS if n in model.graphs]
    words, arrays = words.encode(), json.dumps(arrays).encode()
    return whole([json.dumps(manifest).encode(), words, arrays, raw[8 + size :], *graphs])


def table(data: bytes) -> None:
    """Read a text as a table, by detection and by archives."""
    from aetool.codec import blocks, records
    from aetool.csv import cutting, encodings
    from aetool.csv.sniffing import sniff
    from aetool.data import text
    from aetool.errors import AetoolError

    try:
        dialect = sniff(data, "fuzz")
        for _ in text.tables(encodings.utf8(io.BytesIO(data), dialect.encoding), "fuzz", dialect):
            pass
    except AetoolError:
        pass
    try:
        dialect = sniff(data, "fuzz")
        stream = encodings.utf8(io.BytesIO(data), dialect.encoding)
        head, *pieces = cutting.pieces(stream, dialect, 64)
    except encodings.NoTableError:
        return
    names = cutting.header_names(head, dialect) or ["a"]
    back = head
    for piece in pieces:
        for made in records.encode(piece, records.Layout(dialect.rule, names)):
            block = blocks.decode(made.payload, made.rows, made.content)
            back += records.decode(block, dialect.rule, made.rows, slice(0, made.rows))
    assert encodings.original(back, dialect.encoding) == data


def seeds(name: str) -> list[bytes]:
    """The inputs from which the fuzzer starts."""
    from aetool.canonical import canonical
    from aetool.codec import payloads
    from aetool.codec.archive import Archive
    from aetool.fits import recipes

    if name == "bundle":
        model, rng = golden_model(), np.random.default_rng(0)
        x = rng.normal(size=(50, model.spec.features))
        recipe = recipes.learn("codes", model.spec, x, rng.normal(size=(50, model.latent)), x)
        return [bundle_seed(), bundle_seed(recipe)]
    if name == "table":
        return [(GOLDEN / "table.csv").read_bytes()[:2000], b'a,b\n"1",2\r\n', b"a;b\n1,5;x\n"]
    out = []
    for path in GOLDEN.glob("*.aez"):
        with Archive(path) as found:
            block = found.reader.block(0)
            words, at = payloads.words_of(block.payload)
            head = canonical(words) if words else b""
            size = len(head).to_bytes(2, "little")
            rows = (block.rows | (path.stem == "shared") << 15).to_bytes(2, "little")
            out.append(rows + size + head + block.payload[at:])
    return out


def main() -> None:
    """Run the fuzzer."""
    import atheris

    name, corpus = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=["aetool"]):
        pass
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(name)):
        (corpus / f"seed{i}").write_bytes(seed)
    if name == "archive":
        from aetool.codec import blocks

        blocks.digest = lambda _: bytes(8)  # else nothing behind the digest would be reached
    target = {"archive": archive, "bundle": bundle, "table": table}[name]
    mutators = {"archive": mutate, "bundle": mutate_bundle}
    more = {"custom_mutator": mutators[name]} if name in mutators else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
