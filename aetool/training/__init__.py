"""The one training loop: AdamW, cosine decay, early stopping on a held-out part.

A training is counted in steps, and looks at the clock only if a limit of time was asked for: the
same data and seed give the same network on a slow or busy machine.
"""

from aetool.training.figures import for_samples
from aetool.training.loop import make, start, train
from aetool.training.rows import split
from aetool.training.settings import LEAST_STEPS, Settings, Trained, torch_device

__all__ = [
    "LEAST_STEPS",
    "Settings",
    "Trained",
    "for_samples",
    "make",
    "split",
    "start",
    "torch_device",
    "train",
]
