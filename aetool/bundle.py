"""The .aem bundle: a fitted model on disk, a stored zip of a manifest and vetted ONNX graphs.

The reader rebuilds the canonical bytes from what it read and refuses any difference.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aetool import hypertext, runtime
from aetool.arguments import checked, shown
from aetool.canonical import Json, canonical, parse_canonical
from aetool.columns.layout import table_spec
from aetool.columns.schema import Schema
from aetool.csv.dialect import Reading
from aetool.data.pictures.framing import Framing
from aetool.data.scaling import image_spec
from aetool.detection.calibration import Calibration
from aetool.detection.quantiles import ScoreQuantiles
from aetool.errors import AetoolError, BundleError, ParamError
from aetool.files import atomic, read_all
from aetool.model import Spec
from aetool.spelling import in_shell, option

FORMAT = 2
MAX_BUNDLE = 1 << 30
MAX_MANIFEST = 16 << 20
MOST_VALUES = 1 << 22  # of one picture
CODEC = "codec.safetensors.xz"  # what archives of many small files share; read by the codec
EXACT = "exact.safetensors.xz"  # the same of exact archives, where CODEC is of bounded ones
SAMPLING = "sampling.safetensors.xz"  # how codes and what they leave open are distributed
MAPS = "maps.safetensors.xz"  # of pictures: what each pixel costs ordinarily
READING = "reading"  # the fact that says how the text was read
GRAPHS = ("encoder.onnx", "decoder.onnx", "prior.onnx", "score.onnx")
# where a model comes from: the aetool that fitted it, the digest of the values it was fitted on,
# and the hash of the model that it was made of, if it was made of one
LINEAGE = ("aetool", "data", "parent")
MEMBERS = (*GRAPHS, SAMPLING, MAPS, CODEC, EXACT)
_MEMBER = "members/0/"
_ZIP = b"PK\x03\x04"  # how every bundle begins
IN_MEMORY = "model"  # what a bundle is called that comes from no file
SHOWN = 20  # columns that a notebook is shown of a model


@dataclass(frozen=True, eq=False, repr=False)
class Bundle:
    """A fitted model: what it was fitted on, its graphs, and the calibration of its score.

    plugin: the name of the kind of model, params: its parameters. Exactly one of schema (tables)
    and shape (pictures: channels, height, width) is set. unit is the unit of the score; latent: how
    many numbers a code has, 0 without one; graphs: files by name, ONNX graphs such as
    "encoder.onnx". facts are the training's numbers, for `info`: never a time, so that the same
    data, options and seed give the same bytes. name: what messages call it, as the path that it was
    read from. lineage: where it comes from, by the keys of LINEAGE. by_member: the held-out scores
    of the models that are joined in it, by their names. framing: how pictures become what the
    graphs take; None for tables, and for pictures that are taken as they are.

    It may be pickled, copied, and handed to other processes: what travels is its file's bytes, and
    they are checked where they arrive as those of any file.
    """

    plugin: str
    params: dict[str, Json]
    unit: str
    latent: int
    graphs: dict[str, bytes]
    calibration: Calibration
    schema: Schema | None = None
    shape: tuple[int, int, int] | None = None
    facts: dict[str, Json] = field(default_factory=dict)
    lineage: dict[str, str] = field(default_factory=dict)
    by_member: dict[str, ScoreQuantiles] = field(default_factory=dict)
    framing: Framing | None = None
    name: str = IN_MEMORY
    _sessions: dict[tuple[str, str], runtime.Session] = field(default_factory=dict, repr=False)

    @property
    def codec_size(self) -> int:
        """The bytes of what the model has learned of archives of many small files; 0 without."""
        return sum(len(self.graphs[name]) for name in (CODEC, EXACT) if name in self.graphs)

    @property
    def kind(self) -> str:
        """What kind of data the model was fitted on: "table" or "image"."""
        return "image" if self.schema is None else "table"

    @property
    def spec(self) -> Spec:
        """The layout of the features of this bundle's model, made anew each time."""
        if self.schema is not None:
            return table_spec(self.schema)
        assert self.shape is not None
        return image_spec(self.shape)

    @property
    def view(self) -> Framing:
        """How pictures are framed (resized, cropped, cut into tiles) before the graphs take them;
        without framing, as they are. ParamError for a model of tables."""
        if self.shape is None:
            raise ParamError(
                f"{self.name}: only pictures are framed, and this model is of a table: see its "
                "schema in place of its view"
            )
        channels, height, width = self.shape
        return self.framing or Framing(channels, width, height)

    @property
    def reading(self) -> Reading:
        """How the text of the model's tables is read: the options about text when it was fitted,
        and its columns' names. For a model of pictures the default Reading."""
        if self.schema is None:
            return Reading()
        names = tuple(column.name for column in self.schema.columns)
        return Reading.from_json(self.facts.get(READING, {}), names)

    @property
    def threshold(self) -> float:
        """The score above which a record is an anomaly, unless `detect` is told otherwise; infinite
        where too few held-out records tell one."""
        return self.calibration.threshold()

    @property
    def most_rows(self) -> int:
        """The most records of one batch on the CPU, 512 of a table or 64 pictures; on a GPU a batch
        may be runtime.ON_GPU (16) times as large."""
        if self.shape is None:
            return runtime.TABLE_BATCH
        return runtime.IMAGE_BATCH

    def session(self, graph: str, device: str = "auto", rows: int | None = None) -> runtime.Session:
        """The graph of this name, one of GRAPHS, such as "score.onnx", ready to run; started once
        for each device and kept. device: auto, cpu, cuda or cuda:<n>. rows: on how many it will be
        run in all, where that is known: for few it is started faster. BundleError if the model has
        no such graph or it cannot run; ParamError if there is no such device."""
        # before it is looked up: what is no text may have no hash
        runtime.device_parts(device)
        key = (graph, device)
        if key not in self._sessions:
            if graph not in self.graphs:
                there = ", ".join(self.graphs)
                raise BundleError(f"{self.name}: this model has no {graph}, but {there}")
            where = f"{self.name}: {graph}"
            self._sessions[key] = runtime.Session(
                self.graphs[graph], where, device, self.most_rows, rows
            )
        return self._sessions[key]

    def to_bytes(self) -> bytes:
        """The bytes of the .aem file; the same model always has the same. Graphs whose names are
        not in MEMBERS are left out; ValueError for NaN or infinity in the facts."""
        return _pack(self._manifest(), self.graphs)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the model's file, in hex, by which archives name the model that they need;
        ValueError for NaN or infinity in the facts."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def save(self, path: str | os.PathLike[str] | BinaryIO, force: bool = False) -> Path | None:
        """Write the bundle to a path, whole or not at all, and return the path; or to a file opened
        for writing bytes, whose OSErrors pass, and return None. DataError for a file that exists,
        unless force, and for a path that cannot be written, such as a folder; ParamError for a file
        that is closed, or opened for text or for reading, and for what is neither."""
        checked("save", "force", force, "bool | None")
        content = self.to_bytes()
        if isinstance(path, str | os.PathLike):
            target = Path(path)
            with atomic(target, bool(force)) as file:
                file.write(content)
            return target
        if not hasattr(path, "write"):
            raise ParamError(
                f"save: path must be a path, or a file opened for bytes; got {shown(path)}"
            )
        try:
            path.write(content)
        except TypeError:
            raise ParamError("save: the file takes text; open it for bytes, as by 'wb'") from None
        except ValueError:
            raise ParamError(
                "save: the file is closed, or not open for writing; open it for bytes, as by 'wb'"
            ) from None
        return None

    def __reduce__(self) -> tuple[object, ...]:
        """How pickle stores the bundle: by its file's bytes and its name."""
        return _arrived, (type(self), self.to_bytes(), self.name)

    def __repr__(self) -> str:
        """The model in one line: what it is, of which data, its code and threshold."""
        outline = "; ".join(f"{name} {value}" for name, value in self._outline().items())
        return f"<aetool model: {outline}>"

    def _repr_html_(self) -> str:
        """The model as a notebook shows it: its outline, and how at most SHOWN (20) columns were
        read; as HTML."""
        table = hypertext.table("aetool model", self._outline().items())
        columns = [] if self.schema is None else self.schema.columns
        if not columns:
            return table
        rows = [(column.name, column.understood()) for column in columns[:SHOWN]]
        if len(columns) > SHOWN:
            rows.append((f"and {len(columns) - SHOWN} more", ""))
        return table + "\n" + hypertext.table("columns", rows, ("column", "how it was read"))

    @property
    def fitted_on(self) -> str:
        """How many records the model was fitted on, in words, such as "357 of 569 records" where
        others were held back or left out; "" where the fit has not stated it."""
        if "rows" not in self.facts:
            return ""
        rows = int(self.facts["rows"])
        fitted = int(self.facts.get("fitted_rows", rows))
        # the tiles of large pictures are more than these
        if fitted >= rows:
            return f"{rows:,} records"
        return f"{fitted:,} of {rows:,} records"

    def _outline(self) -> dict[str, str]:
        """A few facts about the model as texts, by name, as a notebook shows them for this object:
        plugin, of (which data), threshold, and, where there are any, the records fitted on and the
        units of its code."""
        if self.shape is not None:
            channels, height, width = self.shape
            data = f"pictures of {width} x {height}, {channels} channel{'s' * (channels > 1)}"
            if self.view.told():
                data += f": {self.view.told()}"
        else:
            data = f"a table of {len(self.spec.columns)} columns"
        outline = {"plugin": self.plugin, "of": data}
        if self.fitted_on:
            outline["fitted on"] = self.fitted_on
        if self.latent:
            outline["code of"] = f"{self.latent:,}"
        outline["threshold"] = "none"
        if self.threshold < math.inf:
            outline["threshold"] = f"{self.threshold:.4g} {self.unit}"
        return outline

    def _manifest(self) -> dict[str, Json]:
        """All of the bundle but its graphs, as JSON; of each graph its size in bytes and its
        SHA-256."""
        return {
            "aetool": FORMAT,
            "plugin": self.plugin,
            "params": self.params,
            "unit": self.unit,
            "latent": self.latent,
            "schema": self.schema.to_json() if self.schema else None,
            "shape": list(self.shape) if self.shape else None,
            **({"framing": self.framing.to_json()} if self.framing else {}),
            "calibration": self.calibration.to_json(),
            "by_member": {name: scores.to_json() for name, scores in self.by_member.items()},
            "facts": self.facts,
            "lineage": self.lineage,
            "members": {
                graph: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for graph, content in self.graphs.items()
            },
        }


def _pack(manifest: dict[str, Json], graphs: dict[str, bytes]) -> bytes:
    """The bytes of a bundle's file: a ZIP, not compressed, of the manifest and of those of `graphs`
    whose names are in MEMBERS, in the order of MEMBERS; others are left out. The same content gives
    the same bytes on every system."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        members = {"manifest.json": canonical(manifest)}
        members |= {_MEMBER + graph: graphs[graph] for graph in MEMBERS if graph in graphs}
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever the system: one model, one file
            archive.writestr(entry, content)
    return buffer.getvalue()


def _arrived(kind: type[Bundle], data: bytes, name: str) -> Bundle:
    """Load a bundle that another process pickled, as an object of its class `kind`. data: the bytes
    of its file; name: its name. BundleError if they are damaged."""
    bundle = from_bytes(data, name)
    return kind(**{field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)})


def from_bytes(data: bytes, name: str) -> Bundle:
    """Read a bundle from the bytes of an .aem file. BundleError if they are not exactly what `save`
    writes, more than MAX_BUNDLE (1 GiB), or have a graph with anything but plain operators of ONNX
    (runtime.walk refuses it). name: the bundle's, and for messages."""
    if len(data) > MAX_BUNDLE:
        raise BundleError(f"{name}: larger than a bundle may be ({MAX_BUNDLE >> 20} MiB)")
    if not data.startswith(_ZIP[: len(data)]) or not data:
        # who takes a table for a model has often left out the word before the model
        where = f": data stand alone, and the model behind {option('-m')}" if in_shell() else ""
        raise BundleError(f"{name}: damaged, or no model, as fit writes them (.aem){where}")
    try:
        members = _unpack(data, name)
        manifest = parse_canonical(members.pop("manifest.json"))
        graphs = {path.removeprefix(_MEMBER): content for path, content in members.items()}
        bundle = _rebuild(manifest, graphs, name)
        is_canonical = bundle.to_bytes() == data
    except AetoolError as error:
        if str(error).startswith(name):
            raise
        raise BundleError(f"{name}: {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise BundleError(f"{name}: damaged, or not an aetool bundle ({error})") from None
    if not is_canonical:
        raise BundleError(f"{name}: damaged: its bytes are not the canonical ones")
    for graph, content in bundle.graphs.items():
        if graph not in GRAPHS:
            continue
        runtime.walk(content, f"{name}: {graph}")  # its sizes are checked before it first runs
    return bundle


def _unpack(data: bytes, name: str) -> dict[str, bytes]:
    """The members of a bundle's file, by name, from its bytes. BundleError unless it is a plain
    ZIP, nothing in it compressed, with known members alone, each once, and a first one of at most
    MAX_MANIFEST (16 MiB). name: what messages call it."""
    allowed = ["manifest.json", *(_MEMBER + g for g in MEMBERS)]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            for entry in entries:
                if entry.filename not in allowed:
                    raise BundleError(f"{name}: refused: unknown member {entry.filename!r}")
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(data):
                    raise BundleError(f"{name}: refused: member {entry.filename} is not plain")
            if len(entries) != len({entry.filename for entry in entries}) or not entries:
                raise BundleError(f"{name}: refused: a member appears twice, or none at all")
            if entries[0].file_size > MAX_MANIFEST:
                raise BundleError(f"{name}: refused: the manifest is too large")
            return {entry.filename: archive.read(entry) for entry in entries}
    except zipfile.BadZipFile:
        # its list of members stands at the end, which a file that was cut off has lost
        raise BundleError(
            f"{name}: damaged: no whole model file, some of its {len(data):,} bytes were changed, "
            "or more are missing at its end; copy it again from where it came, or fit it again"
        ) from None
    except (NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise BundleError(f"{name}: damaged, or not an aetool bundle ({error})") from None


def _rebuild(manifest: dict[str, Json], graphs: dict[str, bytes], name: str) -> Bundle:
    """The bundle of a manifest and its graphs, by name. BundleError for another format, and for a
    graph that does not match its hash; KeyError, TypeError, ValueError and the like for a manifest
    that is not one: from_bytes makes them a BundleError. name: what messages call it."""
    if manifest["aetool"] != FORMAT:
        raise BundleError(
            f"{name}: a model in format {manifest['aetool']!r}; this aetool reads format {FORMAT}: "
            "fit it again"
        )
    for graph, entry in manifest["members"].items():
        if hashlib.sha256(graphs[graph]).hexdigest() != entry["sha256"]:
            raise BundleError(f"{name}: damaged: {graph} does not match its hash")
    # a file of a stranger may ask for more memory than there is
    shape = None
    if manifest["shape"]:
        channels, height, width = (int(size) for size in manifest["shape"])
        shape = channels, height, width
        if not 0 < channels * height * width <= MOST_VALUES:
            raise ValueError("shape")
    framing = None
    if "framing" in manifest:
        if shape is None:
            raise ValueError("framing")
        framing = Framing.from_json(manifest["framing"], shape)
    schema = None
    if manifest["schema"]:
        schema = Schema.from_json(manifest["schema"])
    if (schema is None) == (shape is None):
        raise ValueError("neither table nor pictures")
    return Bundle(
        plugin=str(manifest["plugin"]),
        params=dict(manifest["params"]),
        unit=str(manifest["unit"]),
        latent=int(manifest["latent"]),
        graphs=graphs,
        calibration=Calibration.from_json(manifest["calibration"]),
        schema=schema,
        shape=shape,
        facts=dict(manifest["facts"]),
        lineage=_lineage(manifest["lineage"]),
        by_member={
            str(member): ScoreQuantiles.from_json(scores)
            for member, scores in manifest["by_member"].items()
        },
        framing=framing,
        name=name,
    )


def _lineage(stored: dict[str, Json]) -> dict[str, str]:
    """The stored facts on where a model comes from, checked: each key is one of LINEAGE, each value
    a text. ValueError otherwise."""
    is_known = all(key in LINEAGE and isinstance(value, str) for key, value in stored.items())
    if not is_known or len(stored) > len(LINEAGE):
        raise ValueError("lineage")
    return dict(stored)


def load(path: str | os.PathLike[str] | bytes | BinaryIO) -> Bundle:
    """Read a bundle from a path, from a file opened for reading bytes, or from bytes; nothing in it
    is executed. BundleError if it is damaged, or larger than MAX_BUNDLE (1 GiB); DataError if there
    is no such file or it cannot be read; ParamError for a file that is closed, or opened for text
    or for writing."""
    if isinstance(path, bytes):
        return from_bytes(path, IN_MEMORY)
    if isinstance(path, str | os.PathLike):
        data = read_all(path, MAX_BUNDLE)
        name = os.fspath(path)
    else:
        try:
            data = path.read(MAX_BUNDLE + 1)
        except ValueError:
            raise ParamError(
                "load: the file is closed, or not open for reading; open it for bytes, as by 'rb'"
            ) from None
        name = str(getattr(path, "name", IN_MEMORY))
        if not isinstance(data, bytes):
            raise ParamError("load: the file gives text; open it for bytes, as by 'rb'")
    if data is None:
        raise BundleError(f"{name}: larger than a bundle may be ({MAX_BUNDLE >> 20} MiB)")
    return from_bytes(data, name)
