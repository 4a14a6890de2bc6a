"""info and verify: what a model or an archive holds, and whether it is intact."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aetool import bundle as bundles
from aetool.bundle import Bundle
from aetool.canonical import Json
from aetool.codec.archive import IDLE_MODEL, Archive
from aetool.codec.blocks import Block
from aetool.codec.container import MAGIC
from aetool.codec.contents.content import LOSSY
from aetool.codec.contents.parts import Parts
from aetool.codec.picture_models import model_of
from aetool.codec.shared import shared_of
from aetool.detection.calibration import HELD_OUT, Calibration
from aetool.errors import BundleError, DataError
from aetool.files import place_of
from aetool.model import Float
from aetool.scoring.inputs import random_inputs
from aetool.spelling import in_shell, option

# endings of files of data, for which info is often tried by mistake
OF_DATA = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".xlsx", ".npy", ".npz")
# operators of ONNX that weigh their input by a stored matrix
WEIGHED = ("Gemm", "MatMul", "Conv", "ConvTranspose")
# operators that bend what a layer of a network computes
BENDING = frozenset(
    {"Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu"}
    | {"Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"}
)


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether the file at this path begins like an archive; otherwise it should be a model.
    DataError if it cannot be read."""
    try:
        with place_of(path).path.open("rb") as file:
            # the first bytes, since a name may be anything
            return file.read(4) == MAGIC[:4]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _needed_model(archive: Archive) -> str:
    """The model that an archive needs to be read: "embedded" if it is inside, "none", or the first
    digits of its SHA-256, in hex."""
    # the model itself travels inside
    if "model" in archive.reader.sections:
        return "embedded"
    # only its hash does; zeros mean that none is needed
    if any(archive.reader.model):
        return archive.reader.model.hex()
    return "none"


def info(path: str | os.PathLike[str]) -> dict[str, Json]:
    """The facts about a model or an archive that `aetool info` prints, by name in that order: of an
    archive first file, archive ("lossless", "bounded" or "lossy"), kind, rows and blocks, of a
    model file, model (its plugin), params, data, shape and latent. DataError if there is no such
    file, and for a name of data, with what tells about these; BundleError or ArchiveError if it is
    neither, or damaged. What the units of a linear model's code move is no fact of these: see
    loadings, which `aetool info --loadings` prints in their place."""
    if is_archive(path):
        with Archive(path) as archive:
            return _facts_of_archive(path, archive)
    if Path(path).suffix.lower() in OF_DATA:
        command = "aetool detect" if in_shell() else "aetool.detect"
        raise DataError(
            f"{path}: info is of models (.aem) and archives (.aez), and this is neither: {command} "
            "says of data how their columns are read, and which records are odd"
        )
    return _facts_of_model(path, bundles.load(path))


def _facts_of_archive(path: str | os.PathLike[str], archive: Archive) -> dict[str, Json]:
    """The facts about an open archive, by name, in the order in which they are printed: file,
    archive ("lossless", "bounded" or "lossy"), kind, rows, parts (if it has any), blocks,
    file_bytes, model_bytes, student_bytes, model (the one that it needs: "embedded", "none", or the
    first digits of its SHA-256), what the archive itself states, such as fidelity, note (how its
    rows are counted, where that must be told) or else records (if they are fewer than the rows),
    and coders ({column: {coder: bytes}}). All blocks are decoded for it: ArchiveError for a damaged
    one."""
    sections = archive.reader.sections
    facts: dict[str, Json] = {
        "file": os.fspath(path),
        "archive": archive.mode,
        "kind": archive.kind,
        "rows": archive.rows,
    }
    # only an archive that was written in pieces has parts to count
    if isinstance(archive.content, Parts):
        facts["parts"] = len(archive.content.parts)
    facts["blocks"] = len(archive.places)
    facts["file_bytes"] = archive.size
    facts["model_bytes"] = len(sections.get("model", b""))
    facts["student_bytes"] = len(sections.get("students", b""))
    facts["model"] = _needed_model(archive)
    facts |= archive.facts
    if "errors" in facts:
        facts["errors"] = _errors_as_printed(facts["errors"])
    records = 0

    def count(block: Block) -> None:
        """Add the number of a block's records, which may be fewer than its rows, to `records`."""
        nonlocal records
        is_record = archive.content.records_of(block)
        records += block.rows if is_record is None else int(is_record.sum())

    # decodes every block, which `count` is called with
    sizes = archive.sizes(count)
    note = archive.content.rows_told(archive) or archive.content.kept_whole(archive)
    if note:
        facts["note"] = note
    elif records != archive.rows:
        facts["records"] = records
    facts["coders"] = sizes
    return facts


def _errors_as_printed(errors: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """The errors of an archive by column, as they are printed: of numbers "wrong" is left out, as
    it does not say how many of them differ; where numbers came back as gaps, or gaps as numbers,
    the part of the cells that did is "lost"."""
    errors_to_print: dict[str, Json] = {}
    for name, error in errors.items():
        entry = dict(error)
        if "rmse" in entry:
            lost = entry.pop("wrong", 0)
            if lost:
                entry["lost"] = lost
        errors_to_print[name] = entry
    return errors_to_print


def _facts_of_model(path: str | os.PathLike[str], model: Bundle) -> dict[str, Json]:
    """The facts about a model, by name, in the order in which they are printed: file, model (its
    plugin), params, data, shape, pictures (what is done to them first, if anything), latent, unit,
    threshold, exceeded_by, fitted_on (in words), calibrated_on, context (if it is given rows before
    a row), sha256, graph_bytes, what the fit states, each with fit_ before it, lineage,
    scores_of_members and columns, each with read_as, how its cells are read, in words."""
    facts: dict[str, Json] = {
        "file": os.fspath(path),
        "model": model.plugin,
        "params": model.params,
        "data": model.kind,
        "shape": model.shape,
    }
    # what is done to pictures before the model sees them
    if model.framing:
        facts["pictures"] = model.view.told()
    facts["latent"] = model.latent
    facts["unit"] = model.unit
    facts["threshold"] = model.calibration.threshold()
    facts["exceeded_by"] = _exceeded_by(model.calibration)
    if model.fitted_on:
        facts["fitted_on"] = model.fitted_on
    facts["calibrated_on"] = model.calibration.rows
    # features of the rows before a row
    if model.spec.given and model.schema:
        facts["context"] = model.schema.context
    facts["sha256"] = model.sha256
    facts["graph_bytes"] = {name: len(graph) for name, graph in model.graphs.items()}
    for name, value in model.facts.items():
        facts[f"fit_{name}"] = value
    facts["lineage"] = {name: model.lineage.get(name) for name in bundles.LINEAGE}
    facts["scores_of_members"] = {
        name: calibration.facts() for name, calibration in model.by_member.items()
    }
    # a model of pictures has no columns
    columns = model.schema.columns if model.schema else ()
    facts["columns"] = [{**column.facts(), "read_as": column.understood()} for column in columns]
    return facts


def loadings(path: str | os.PathLike[str], most: int = 8) -> list[dict[str, Json]]:
    """Say what each number of a code does in the linear model at `path`: returns a dictionary for
    each, with name, such as "z0", and of PCA explained, the part of the variance along it. Behind
    these stand the features that it changes most, the largest change first: by the feature's name,
    by how many standard deviations, to 4 decimals. most: how many features are looked at; of these,
    those that it does not change, and those that are not scored, are left out.

    BundleError for a model of pictures, and for one whose decoder is not linear; other errors as of
    bundle.load.
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
    entries = []
    for unit, row in enumerate(decoder):
        entry: dict[str, Json] = {"name": f"z{unit}"}
        if unit < len(explained):
            entry["explained"] = explained[unit]
        # by size, whatever the sign
        largest_first = np.argsort(-np.abs(row), kind="stable")
        for feature in largest_first[:most]:
            name = names[feature]
            weight = row[feature]
            if name and weight:
                entry[name] = round(float(weight), 4)
        entries.append(entry)
    return entries


def _linear_decoder(graphs: Mapping[str, bytes]) -> Float | None:
    """Return the matrix of a decoder that is one linear map, (latent, features) float64: by how
    many standard deviations each unit of the code changes each feature. None without a decoder, and
    for one in which more than one operator multiplies by a matrix, or the only one that does is no
    Gemm of the code itself, or its result goes straight through an operator such as Tanh that bends
    it; other operators are not looked at. graphs: of the bundle, by name."""
    import onnx

    if "decoder.onnx" not in graphs:
        return None
    graph = onnx.ModelProto.FromString(graphs["decoder.onnx"]).graph
    maps = [node for node in graph.node if node.op_type in WEIGHED]
    # one linear map, straight from the code: anything more bends it, or has no single weight
    if len(maps) != 1:
        return None
    (only,) = maps
    code = graph.input[0].name
    if only.op_type != "Gemm" or only.input[0] != code:
        return None
    for node in graph.node:
        if node.op_type in BENDING and only.output[0] in node.input:
            return None
    stored = {tensor.name: tensor for tensor in graph.initializer}
    matrix = onnx.numpy_helper.to_array(stored[only.input[1]])
    weight = matrix.astype(np.float64)
    # Gemm stores its matrix either way round
    is_transposed = any(attribute.name == "transB" and attribute.i for attribute in only.attribute)
    return weight.T if is_transposed else weight


def feature_names(model: Bundle) -> list[str]:
    """Return a name for each feature of a model of tables, in their order: "temp" of a number,
    "temp missing" of a flag, "level=red", "level=other" and "level=missing" of a category; "" for
    features that are not scored, such as those of the rows before a row."""
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
        last = len(levels) - 1
        for place in range(width):
            level = levels[min(place, last)]
            names[start + place] = f"{columns[column].name}={level}"
    return names


def _is_neither(path: Path) -> bool:
    """Whether a file that is no archive does not look like a model either, by name or content.
    False for a name that ends in .aem and for what is no plain file: one of these is reported as
    damaged. OSError if it cannot be read."""
    # what is no plain file can be read only once
    if path.suffix == ".aem" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) != b"PK"


def verify(
    path: str | os.PathLike[str],
    model: Bundle | None = None,
    max_output: int | None = None,
    notes: list[str] | None = None,
) -> dict[str, Json]:
    """Read a model or an archive completely, decode all its blocks, and return figures by name: of
    an archive `archive` ("lossless", "bounded" or "lossy"), rows, and, if it holds codes and a
    model, decoder ("checked"); of a model `model`, its plugin, and graphs, the names of its ONNX
    graphs. BundleError or ArchiveError if anything in it is damaged, BundleError also for a file
    that is neither; DataError if it cannot be read.

    model: the one that an archive needs, where it is not inside. max_output: the most bytes that an
    archive may restore, else ArchiveError; None: as many as are sensible. notes: a list, which gets
    a line on a model that was not needed; None: the line is not told.
    """
    if is_archive(path):
        with Archive(path, model, max_output=max_output) as archive:
            # restores everything and keeps nothing
            archive.check()
            facts = {"archive": archive.mode, "rows": archive.rows}
            if archive.mode == LOSSY and archive.has_model:
                facts["decoder"] = "checked"
            if archive.has_idle_model and notes is not None:
                notes.append(IDLE_MODEL)
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
    # what it learned for archives is checked as it is read: BundleError if it is damaged
    shared_of(found_model, is_bounded=False)
    shared_of(found_model, is_bounded=True)
    model_of(found_model)
    session = found_model.session("score.onnx", "cpu")
    # a graph may load and yet fail, or give nonsense, when it runs
    records = random_inputs(found_model)
    parts = session(records)["parts"]
    if not np.isfinite(parts).all():
        raise BundleError(f"{path}: its score graph gives values that are not finite")
    return {"model": found_model.plugin, "graphs": sorted(found_model.graphs)}


def _exceeded_by(calibration: Calibration) -> str | None:
    """Say in words what part of ordinary records exceeds a calibration's threshold, or, behind
    "none: ", why there is no threshold; None if it was made by no records."""
    if not calibration.rows:
        return None
    short = calibration.shortage()
    if short is not None:
        return f"none: {short}"
    threshold = calibration.threshold()
    rate = calibration.rate()
    rarity = calibration.rarity_in_words(threshold, rate)
    if calibration.is_outnumbered(threshold, rate):
        return f"{rarity}, {HELD_OUT}"
    return rarity
