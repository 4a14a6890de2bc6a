"""ONNX graphs written by hand: user units to features and back, and closed-form scores."""

from aetool.graphs.buckets import (
    ERFC,
    LEAST_SIGMA,
    SMALLEST_MASS,
    THIN,
    bucket_nats,
    log_tail,
    mixture_nats,
)
from aetool.graphs.graph import OPSET, Graph, weights_of
from aetool.graphs.oddities import nats_of_odd, standing_out, unexpected
from aetool.graphs.sums import sum_by_column, weighed_sum
from aetool.graphs.term import Operand, Term
from aetool.graphs.units import prepare_image, restore_image, tail

__all__ = [
    "ERFC", "LEAST_SIGMA", "OPSET", "SMALLEST_MASS", "THIN", "Graph", "Operand", "Term",
    "bucket_nats", "log_tail", "mixture_nats", "nats_of_odd", "prepare_image", "restore_image",
    "standing_out", "sum_by_column", "tail", "unexpected", "weighed_sum", "weights_of",
]  # fmt: skip
