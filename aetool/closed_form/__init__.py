"""What an author of a closed form builds on: models that are solved in numpy, without gradients."""

from aetool.closed_form import costs
from aetool.closed_form.blocks import BLOCK, BLOCK_NUMBERS, few_rows, in_blocks, rows_of_numbers
from aetool.closed_form.builder import Builder, Value
from aetool.closed_form.covariance import Moments, moments, mostly_one
from aetool.closed_form.leading import DENSE, GRAM, Leading, leading
from aetool.closed_form.solution import Batches, ClosedForm, Features, Solution
from aetool.closed_form.writing import evaluated

__all__ = [
    "BLOCK", "BLOCK_NUMBERS", "DENSE", "GRAM", "Batches", "Builder", "ClosedForm", "Features",
    "Leading", "Moments", "Solution", "Value", "costs", "evaluated", "few_rows", "in_blocks",
    "leading", "moments", "mostly_one", "rows_of_numbers",
]  # fmt: skip
