"""Pictures and tables between the units of users and features, as graphs."""

from __future__ import annotations

from onnx import TensorProto

from aetool.columns.layout import restore_table
from aetool.columns.schema import Schema
from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.graphs.graph import Graph
from aetool.model import Spec

BLACK, WHITE = 0.0, 255.0


def tail(schema: Schema, spec: Spec) -> bytes:
    """An ONNX graph, as bytes, that only restores tables: "likely", (B, features), to "x_hat", (B,
    columns) in user units."""
    g = Graph()
    likely = g.input("likely", TensorProto.FLOAT, [spec.features])
    values = restore_table(g, schema, likely)
    columns = len(spec.columns)
    g.output("x_hat", values, TensorProto.DOUBLE, [columns])
    return g.build("tail")


def prepare_image(g: Graph, pixels: str) -> str:
    """(B, C, H, W) uint8 to standardised float32."""
    levels = g.term(g.cast(pixels))
    centred = levels - PIXEL_MEAN
    standard = centred / PIXEL_SPREAD
    return standard.name


def restore_image(g: Graph, expected: str) -> str:
    """Standardised float32 (B, C, H, W) to pixel values in 0..255, not rounded."""
    standard = g.term(expected)
    centred = standard * PIXEL_SPREAD
    levels = centred + PIXEL_MEAN
    # what is expected may lie beyond black or white
    return levels.clipped(BLACK, WHITE).name
