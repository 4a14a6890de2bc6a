"""info and verify: what a model or an archive holds, and whether it is intact."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aetool import bundle as bundles
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.archive import Archive
from aetool.codec.container import MAGIC
from aetool.codec.contents.content import LOSSY
from aetool.codec.contents.parts import Parts
from aetool.codec.picture_models import model_of
from aetool.codec.shared import shared_of
from aetool.detection.calibration import Calibration, in_words
from aetool.errors import BundleError, DataError
from aetool.files import place_of
from aetool.model import Float
from aetool.scoring.inputs import random_inputs
from aetool.spelling import option


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether the file at this path begins like an archive; otherwise it should be a model."""
    try:
        with place_of(path).path.open("rb") as file:
            # the first bytes, since a name may be anything
            return file.read(4) == MAGIC[:4]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _model_of(archive: Archive) -> str:
    """The model that an archive needs to be read: "embedded" if it is inside, "none", or the first
    digits of its SHA-256."""
    # the model itself travels inside
    if "model" in archive.reader.sections:
        return "embedded"
    # only its hash does; zeros mean that none is needed
    if any(archive.reader.model):
        return archive.reader.model.hex()
    return "none"


def info(path: str | os.PathLike[str]) -> dict[str, Json]:
    """The facts about a model or an archive that `aetool info` prints, by name."""
    if is_archive(path):
        with Archive(path) as archive:
            parts = archive.content
            return {
                "file": os.fspath(path),
                "archive": archive.mode,
                "kind": archive.kind,
                "rows": archive.rows,
                **({"parts": len(parts.parts)} if isinstance(parts, Parts) else {}),
                "blocks": len(archive.places),
                "file_bytes": archive.size,
                "model_bytes": len(archive.reader.sections.get("model", b"")),
                "student_bytes": len(archive.reader.sections.get("students", b"")),
                "model": _model_of(archive),
                **archive.facts,
                "coders": archive.sizes(),
            }
    model = bundles.load(path)
    columns = []
    # a model of pictures has no columns
    for column in model.schema.columns if model.schema else ():
        columns.append({**column.facts(), "read_as": column.understood()})
    return {
        "file": os.fspath(path),
        "model": model.plugin,
        "params": model.params,
        "data": model.kind,
        "shape": model.shape,
        **({"pictures": model.view.told()} if model.framing else {}),
        "latent": model.latent,
        "unit": model.unit,
        "threshold": model.calibration.threshold(),
        "exceeded_by": _exceeded_by(model.calibration),
        "calibrated_on": model.calibration.rows,
        **({"context": model.schema.context} if model.spec.given and model.schema else {}),
        "sha256": model.sha256,
        "graph_bytes": {n: len(d) for n, d in model.graphs.items()},
        **{f"fit_{k}": v for k, v in model.facts.items()},
        "lineage": {name: model.lineage.get(name) for name in bundles.LINEAGE},
        "scores_of_members": {
            name: calibration.facts() for name, calibration in model.by_member.items()
        },
        "columns": columns,
    }


def loadings(path: str | os.PathLike[str], most: int = 8) -> list[dict[str, Json]]:
    """For each number of a linear model's code, the features that it changes most, and by how many
    standard deviations. most: how many features.

    BundleError for a model of pictures, and for one whose decoder is not linear.
    """
    model = bundles.load(path)
    decoder = _linear_decoder(model.graphs)
    if decoder is None or model.schema is None:
        raise BundleError(
            f"{path}: {option('--loadings')} needs a table's model whose decoder is linear: "
            "pca, or ae with "
            f"{option('-O ')}depth=0"
        )
    names = feature_names(model)
    # of pca the part of the variance along each unit
    explained = model.facts.get("explained", [])
    out = []
    for unit, row in enumerate(decoder):
        entry: dict[str, Json] = {"name": f"z{unit}"}
        if unit < len(explained):
            entry["explained"] = explained[unit]
        # by size, whatever the sign
        largest = np.argsort(-np.abs(row), kind="stable")[:most]
        entry |= {names[i]: round(float(row[i]), 4) for i in largest if names[i] and row[i]}
        out.append(entry)
    return out


def _linear_decoder(graphs: Mapping[str, bytes]) -> Float | None:
    """The matrix of a decoder that is one linear map, (latent, features): by how many standard
    deviations each unit of the code changes each feature. None for any other decoder. graphs: of
    the bundle, by name."""
    import onnx

    if "decoder.onnx" not in graphs:
        return None
    graph = onnx.ModelProto.FromString(graphs["decoder.onnx"]).graph
    # every operator that weighs its input by a stored matrix
    maps = [n for n in graph.node if n.op_type in ("Gemm", "MatMul", "Conv", "ConvTranspose")]
    # one linear map, straight from the code: anything more bends it, or has no single weight
    if len(maps) != 1 or maps[0].op_type != "Gemm" or maps[0].input[0] != graph.input[0].name:
        return None
    stored = {tensor.name: tensor for tensor in graph.initializer}
    weight = onnx.numpy_helper.to_array(stored[maps[0].input[1]]).astype(np.float64)
    # Gemm stores its matrix either way round
    transposed = any(a.name == "transB" and a.i for a in maps[0].attribute)
    return weight.T if transposed else weight


def feature_names(model: Bundle) -> list[str]:
    """A name for each feature of a model of tables; "" for features of the rows before a row."""
    spec = model.spec
    columns = model.schema.modelled if model.schema else ()
    names = [""] * spec.features
    for feature, column in zip(spec.numeric.tolist(), spec.owner.tolist(), strict=True):
        # a number is called as its column is
        names[feature] = columns[column].name
    for feature, column in spec.flags:
        names[feature] = f"{columns[column].name} missing"
    for column, start, width in spec.categories:
        # the last two features of a block stand for all other words and for none
        levels = [*columns[column].listed, "other", "missing"]
        for k in range(width):
            names[start + k] = f"{columns[column].name}={levels[min(k, len(levels) - 1)]}"
    return names


def _is_neither(path: Path) -> bool:
    """Whether a file that is no archive does not look like a model either, by name or content: one
    of both that is damaged is told to be so."""
    # what is no plain file can be read only once
    if path.suffix == ".aem" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) != b"PK"


def verify(
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    max_output: int | None = None,
) -> dict[str, Json]:
    """Read a model or an archive completely, decode all its blocks, and return figures; raises
    BundleError or ArchiveError if anything in it is damaged.

    max_output: the most bytes that an archive may restore, as in `decompress`.
    """
    if is_archive(path):
        with Archive(path, model, max_output=max_output) as archive:
            # restores everything and keeps nothing
            archive.check()
            facts = {"archive": archive.mode, "rows": archive.rows}
            if archive.mode == LOSSY and archive.has_model:
                facts["decoder"] = "checked"
            return facts
    if _is_neither(Path(path)):
        raise BundleError(
            f"{os.fspath(path)}: neither an archive (.aez) nor a model (.aem), so there is nothing "
            "to verify; give a file that compress or fit wrote"
        )
    found_model = bundles.load(path)
    for graph in bundles.GRAPHS:
        if graph in found_model.graphs:
            # a graph that cannot be loaded is damage, though its digest is right
            found_model.session(graph, "cpu")
    # what it learned for archives is checked when it is read
    shared_of(found_model)
    model_of(found_model)
    session = found_model.session("score.onnx", "cpu")
    # a graph may load and yet fail, or give nonsense, when it runs
    records = random_inputs(found_model)
    parts = session(records)["parts"]
    if not np.isfinite(parts).all():
        raise BundleError(f"{path}: its score graph gives values that are not finite")
    return {"model": found_model.plugin, "graphs": sorted(found_model.graphs)}


def _exceeded_by(calibration: Calibration) -> str | None:
    """The share of calibration records above the threshold, in words, or why none can be given;
    None if the model was calibrated by no records."""
    if not calibration.rows:
        return None
    short = calibration.shortage()
    if short is None:
        return in_words(calibration.rate())
    return f"none: {short}"
