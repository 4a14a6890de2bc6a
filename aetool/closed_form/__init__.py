"""What an author of a closed form builds on: models that are solved in numpy, without gradients."""

from aetool.closed_form import costs
from aetool.closed_form.builder import Builder, Value
from aetool.closed_form.covariance import BLOCK, Moments, few_rows, in_blocks, moments, mostly_one
from aetool.closed_form.solution import Batches, ClosedForm, Features, Solution
from aetool.closed_form.writing import evaluated

__all__ = [
    "BLOCK", "Batches", "Builder", "ClosedForm", "Features", "Moments", "Solution", "Value",
    "costs", "evaluated", "few_rows", "in_blocks", "moments", "mostly_one",
]  # fmt: skip
