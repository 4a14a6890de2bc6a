"""Lossy compression with the exported graphs, onnxruntime and numpy alone: no aetool at run time.

    aetool export pictures.aem -o graphs
    python by_hand.py graphs pictures.npy     # uint8 (n, height, width)

The code is quantised to a quarter of each unit's deviation and packed by zlib.
"""

import json
import sys
import zlib

import numpy as np
import onnxruntime as ort


def run(graph: str, x: np.ndarray) -> np.ndarray:
    """Run an exported graph on an array, its only input, and return its first output."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def compress(folder: str, pixels: np.ndarray) -> bytes:
    """Compress pictures, (n, 1, H, W) uint8, with loss: the number of bytes of a JSON head in 4
    bytes, the head, and the rounded codes, packed."""
    z = run(f"{folder}/encoder.onnx", pixels)
    centre, step = z.mean(axis=0), z.std(axis=0) / 4 + 1e-9
    q = np.rint((z - centre) / step).astype("<i2")
    head = json.dumps({"rows": len(z), "centre": centre.tolist(), "step": step.tolist()}).encode()
    return len(head).to_bytes(4, "little") + head + zlib.compress(q.T.tobytes(), 9)


def decompress(folder: str, data: bytes) -> np.ndarray:
    """Restore pictures, (n, 1, H, W) uint8, from what `compress` returned: close to the originals,
    not equal to them."""
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    q = np.frombuffer(zlib.decompress(data[4 + size :]), "<i2").reshape(-1, head["rows"]).T
    z = np.array(head["centre"]) + q * np.array(head["step"])
    return np.rint(run(f"{folder}/decoder.onnx", z.astype(np.float32))).astype(np.uint8)


if __name__ == "__main__":
    pictures = np.load(sys.argv[2])[:, None]
    packed = compress(sys.argv[1], pictures)
    rmse = np.sqrt(((decompress(sys.argv[1], packed).astype(float) - pictures) ** 2).mean())
    print(f"{pictures.size} bytes of pixels, {len(packed)} packed, RMSE {rmse:.1f}")
