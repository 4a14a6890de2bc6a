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
    """An ONNX graph, as bytes, that turns the features which a model expects back into values, as
    `restore_table` does: its input "likely", (B, features) float32, into its output "x_hat", (B,
    columns) float64 in user units. schema, spec: the model's."""
    g = Graph()
    likely = g.input("likely", TensorProto.FLOAT, [spec.features])
    values = restore_table(g, schema, likely)
    columns = len(spec.columns)
    g.output("x_hat", values, TensorProto.DOUBLE, [columns])
    return g.build("tail")


def prepare_image(g: Graph, pixels: str) -> str:
    """Add to graph g the standardisation of pictures, z = (level - 96) / 96; returns the name of
    the result, (B, C, H, W) float32. pixels: the name of the levels, (B, C, H, W) uint8."""
    levels = g.term(g.cast(pixels))
    centred = levels - PIXEL_MEAN
    standard = centred / PIXEL_SPREAD
    return standard.name


def restore_image(g: Graph, expected: str) -> str:
    """Add to graph g the inverse of `prepare_image`; returns the name of the levels, (B, C, H, W)
    float32, cut off at 0 and 255 and not rounded. expected: the name of the standardised pixels, in
    the same shape."""
    standard = g.term(expected)
    centred = standard * PIXEL_SPREAD
    levels = centred + PIXEL_MEAN
    # what is expected may lie beyond black or white
    return levels.clipped(BLACK, WHITE).name
