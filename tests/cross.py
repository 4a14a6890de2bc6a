"""Prints one sha256 of everything that must be the same on every machine: what golden archives
restore, what compressing gives, and what a student votes, by every engine there is.

Run by `make cpus` under emulated processors; the lines must be equal.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from aetool import bundle as bundles
from aetool import kernel, operations
from aetool.exact import network

GOLDEN = Path(__file__).parent / "golden" / "3.0"
FIELDS = GOLDEN.parent / "3.7" / "fields.aez"  # floats told by sums of floats


def main() -> None:
    """Print the hash, and which engines agreed."""
    seen = hashlib.sha256()
    model = bundles.load(GOLDEN / "model.aem")
    engines = [None, kernel.C] if kernel.C is not None else [None]
    with tempfile.TemporaryDirectory() as folder:
        for name, given in (("text", None), ("bounded", None), ("shared", model)):
            restored, packed = set(), set()
            for kernel.C in engines:
                out = Path(folder) / "out"
                operations.decompress(GOLDEN / f"{name}.aez", out, model=given, force=True)
                restored.add(out.read_bytes())
                if name != "bounded":
                    target = Path(folder) / "t.aez"
                    options = operations.CompressOptions(force=True)
                    operations.compress(GOLDEN / "table.csv", target, given, options)
                    packed.add(target.read_bytes())
            assert len(restored) == 1 and len(packed) < 2, f"{name}: engines differ"
            seen.update(restored.pop())
            if name == "shared":  # plans of one's own are chosen in floats: any of them is right
                seen.update(packed.pop())
        fields = set()
        for kernel.C in engines:
            out = Path(folder) / "fields.npz"
            operations.decompress(FIELDS, out, force=True)
            with np.load(out) as arrays:
                fields.add(b"".join(arrays[name].tobytes() for name in arrays.files))
        assert len(fields) == 1, "fields: engines differ"
        seen.update(fields.pop())
    rng = np.random.default_rng(0)
    layers = [
        network.Layer(rng.integers(-127, 128, (90, 24)), rng.integers(-900, 900, 24), 4),
        network.Layer(rng.integers(-127, 128, (24, 32)), rng.integers(-900, 900, 32)),
    ]
    x = rng.integers(0, 2, (1500, 90))
    votes = {network.reference(layers, x).tobytes()}
    votes.add(network.in_floats(layers, x).astype(np.int64).tobytes())
    names = ["numpy", *(["C"] if len(engines) > 1 else []), "float64"]
    try:
        run = network.run_graph(network.graph(layers))
        votes.add(run(x).astype(np.int64).tobytes())
        names.append("onnxruntime")
    except ImportError:
        pass
    assert len(votes) == 1, "engines differ"
    seen.update(votes.pop())
    print(seen.hexdigest(), "+".join(names))


if __name__ == "__main__":
    main()
