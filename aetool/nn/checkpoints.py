"""The state of a training at one of its checks, in a file, so that it can go on after a kill.

A checkpoint holds tensors, numbers and texts alone: reading one executes nothing.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from aetool.canonical import Json
from aetool.errors import DataError
from aetool.files import atomic
from aetool.spelling import option

State = dict[str, Json]
ROWS_AT_ONCE = 1 << 16  # of an array that is digested


def digest_of(decided_by: Sequence[object], arrays: Sequence[np.ndarray | None]) -> str:
    """A digest, in hex, of what decides a training: the repr of `decided_by`, and the types, shapes
    and values of arrays, None among them. arrays: of one axis at least."""
    whole_digest = hashlib.sha256(repr(decided_by).encode())
    for array in arrays:
        if array is None:
            whole_digest.update(b"none")
            continue
        whole_digest.update(f"{array.dtype}{array.shape}".encode())
        # in pieces: a view of all bytes at once would be a second copy of a large array
        for first_row in range(0, len(array), ROWS_AT_ONCE):
            whole_digest.update(
                np.ascontiguousarray(array[first_row : first_row + ROWS_AT_ONCE]).tobytes()
            )
    return whole_digest.hexdigest()


class Checkpoint:
    """The file that stores the state of a training. about: the digest of what decides the training;
    processes: how many train together. A state is tensors, numbers and texts by name, other than
    "about" and "processes"."""

    def __init__(self, checkpoint_path: str | os.PathLike[str], about: str, processes: int) -> None:
        """Name the file, which is neither read nor written yet. about: the digest of what decides
        the training; processes: how many train together."""
        self.path = Path(checkpoint_path)
        self.about, self.processes = about, processes

    def saved(self) -> State | None:
        """The stored state, its tensors on the CPU; None if there is no file. DataError if it is of
        another training, or of another number of processes, or cannot be read."""
        if not self.path.exists():
            return None
        try:
            # a pickle could run whatever its writer wished: of this one tensors alone are taken
            state: State = torch.load(self.path, map_location="cpu", weights_only=True)
            about, processes = state["about"], state["processes"]
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError,
                pickle.UnpicklingError):  # fmt: skip
            raise DataError(
                f"{self.path}: is no checkpoint that can be read; remove it, and train anew"
            ) from None
        # who goes on with other rows would have a network of neither
        if about != self.about:
            raise DataError(
                f"{self.path}: is of other data, or of a fit with other options; remove it, or fit "
                f"without {option('--resume')}"
            )
        if processes != self.processes:
            raise DataError(
                f"{self.path}: was written by {processes} processes, and this fit has "
                f"{self.processes}; go on with as many"
            )
        return state

    def save(self, state: State) -> None:
        """Write a state to the file, in place of the one before. DataError if it cannot be written;
        then that stays."""
        identity = {"about": self.about, "processes": self.processes}
        with atomic(self.path, force=True) as file:
            torch.save({**state, **identity}, file)
