"""Columns of tables of codes: the encoder that gives them, and the columns of a source that stand
beside them."""

from __future__ import annotations

from aetool import runtime
from aetool.bundle import Bundle
from aetool.csv.dialect import Dialect
from aetool.data import writers
from aetool.data.table import Cells, Table
from aetool.errors import ParamError
from aetool.spelling import option, there_are

CSV = {"format": "csv", **Dialect().to_json()}


def encoder_of(model: Bundle, device: str) -> runtime.Session:
    """The runtime session of a model's encoder, whose output "z" is the code, (rows, latent)
    float32; ParamError for a model without one, and for a device that is not there; BundleError if
    it cannot run. device: auto, cpu, cuda or cuda:<n>."""
    if "encoder.onnx" not in model.graphs:
        if model.spec.given:
            raise ParamError(
                f"{model.name}: has no code of a row alone; fit without {option('--context')}"
            )
        raise ParamError(f"{model.plugin} has no code")
    return model.session("encoder.onnx", device)


def cells(table: Table | None, name: str, where: str) -> writers.Restored:
    """The column of this name of a table, to be written beside codes: a list of texts, "" where one
    is missing, or an array of numbers or moments, (rows,); ParamError if there is none, as where
    table is None, of pictures. where: the source's name, for messages."""
    if table is None or name not in table.names:
        column_names = table.names if table is not None else ()
        raise ParamError(
            f"{option('--id')} {name}: no such column in {where}{there_are(name, column_names)}"
        )
    values = table[name]
    if isinstance(values, Cells):
        return list(values.strings())
    return values
