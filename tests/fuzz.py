"""Coverage-guided fuzzing of the readers: `make fuzz` runs each for ten minutes (needs atheris).

    python tests/fuzz.py archive|bundle|table CORPUS -max_total_time=600

Only AetoolError may come out. What once broke a reader is kept in tests/finds and replayed by the
suite.
"""

import contextlib
import io
import json
import random
import sys
from pathlib import Path

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
GOLDEN = Path(__file__).parent / "golden" / "2.0"


def archive(data: bytes) -> None:
    """A block's payload, as if all checksums were right: u16 rows, u16 size of its JSON, which is
    packed here as it must be, and the rest."""
    from aetool.codec import blobs, blocks, container, records
    from aetool.errors import AetoolError

    rows, size = int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
    try:
        words = container.deflate(json.loads(data[4 : 4 + size]))
    except (ValueError, RecursionError):
        return
    payload = blobs.varint(len(words)) + words + data[4 + size :]
    try:
        content = blocks.decode(payload, rows, bytes(8))
        records.decode(content, ",", rows, slice(0, rows))
    except AetoolError:
        pass


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
    """One value, wherever it stands, replaced by an odd one, or by another from the same JSON."""
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


def bundle(data: bytes) -> None:
    """A bundle, and the codec inside one."""
    from aetool import bundle as bundles
    from aetool.codec import shared
    from aetool.errors import AetoolError

    for read in (bundles.from_bytes, shared.from_bytes):
        with contextlib.suppress(AetoolError):
            read(data, "fuzz")


def table(data: bytes) -> None:
    """A table in text, as detection and as archives read it."""
    from aetool.codec import records
    from aetool.data import text
    from aetool.errors import AetoolError
    from aetool.operations import texts

    try:
        dialect = text.sniff(data, "fuzz")
        for _ in text.tables(io.BytesIO(data), "fuzz", dialect):
            pass
    except AetoolError:
        pass
    head, end, rest = data.partition(b"\n")
    names = texts.column_names(head + end, ",") or ["a"]
    if rest:
        made = records.encode(rest, records.Layout(",", names))
        assert b"".join(m.restored for m in made) == rest


def seeds(name: str) -> list[bytes]:
    """Where the fuzzer begins."""
    from aetool.bundle import canonical
    from aetool.codec import blocks
    from aetool.codec.archive import Archive

    if name == "bundle":
        return [(GOLDEN / "model.aem").read_bytes()]
    if name == "table":
        return [(GOLDEN / "table.csv").read_bytes()[:2000], b'a,b\n"1",2\r\n', b"a;b\n1,5;x\n"]
    out = []
    for path in GOLDEN.glob("*.aez"):
        with Archive(path) as found:
            block = found.reader.block(0)
            words, at = blocks._words(block.payload)
            head = canonical(words)
            size = len(head).to_bytes(2, "little")
            rows = block.rows.to_bytes(2, "little")
            out.append(rows + size + head + block.payload[at:])
    return out


def main() -> None:
    """Run the fuzzer."""
    import atheris

    name, corpus = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=["aetool"]):
        import aetool.codec.archive
        import aetool.codec.shared
        import aetool.data.sources
        import aetool.operations.texts  # noqa: F401
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(name)):
        (corpus / f"seed{i}").write_bytes(seed)
    if name == "archive":
        from aetool.codec import blocks

        blocks.digest = lambda _: bytes(8)  # else nothing behind the digest would be reached
    target = {"archive": archive, "bundle": bundle, "table": table}[name]
    more = {"custom_mutator": mutate} if name == "archive" else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
