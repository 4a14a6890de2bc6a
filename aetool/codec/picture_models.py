"""What a model has learned of pictures, so that archives of pictures like them are smaller: states
from which the coder begins.

In a bundle it is the member `codec.safetensors.xz`. Counters are stored with 12 bits of their
probability and a class of how often they were used; both sides begin with what that restores.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aetool.bundle import CODEC, Bundle
from aetool.codec.packing import errors_as_damage, packed, unpacked
from aetool.codec.picture_coding import COUNT_BITS, LARGEST_LAST, State
from aetool.codec.picture_contexts import PRESETS, THOROUGH, USUAL, Preset

LEARNED = (USUAL, THOROUGH)
BITS = 16  # logarithm of the counters of a context
KEPT_BITS = 12  # of a probability
USES = (0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 42, 63, 94, 141, 212, 255)  # of a counter, by class
KEY = "pictures"  # in the words of the member

Counters = npt.NDArray[np.uint32]  # as a coder has them
Kept = npt.NDArray[np.uint16]  # as a bundle stores them


@dataclass(eq=False)
class PictureModel:
    """What a model has learned of pictures: the states that coders of pictures begin with, by the
    number of their preset (Preset.number)."""

    states: dict[int, State] = field(default_factory=dict)


def blank() -> PictureModel:
    """A model of pictures that has learned nothing yet: a fresh state for each preset of LEARNED,
    the choices of contexts of the default effort and of a thorough one."""
    model = PictureModel()
    for preset in LEARNED:
        model.states[preset.number] = State.fresh(preset, BITS)
    return model


def model_of(bundle: Bundle) -> PictureModel | None:
    """Read the part of a bundle that has learned to code pictures, its member CODEC; None if its
    model is not of pictures, or has no such part. BundleError if the part is damaged."""
    if CODEC not in bundle.graphs or bundle.kind != "image":
        return None
    return from_bytes(bundle.graphs[CODEC], bundle.name)


def to_bytes(model: PictureModel) -> bytes:
    """Write a model of pictures as the member CODEC of a bundle, which `from_bytes` reads; its
    counters are rounded to 16 bits."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for number, state in model.states.items():
        name = f"{KEY}.{number}"
        arrays[f"{name}.counters"] = _kept(state.counters)
        arrays[f"{name}.weights"] = state.weights
        arrays[f"{name}.last"] = state.last
    return packed(arrays, {KEY: sorted(model.states)})


def from_bytes(data: bytes, name: str) -> PictureModel:
    """The model of pictures that `to_bytes` wrote; BundleError if it is damaged, restores more than
    packing.MAX_PACKED (2^28) bytes, or of presets, choices of contexts, that are not known here.
    name: of the bundle, for messages."""
    with errors_as_damage(name):
        arrays, words = unpacked(data)
        model = PictureModel()
        for number in words[KEY]:
            name = f"{KEY}.{number}"
            model.states[int(number)] = _state(
                PRESETS[number],
                arrays[f"{name}.counters"],
                arrays[f"{name}.weights"],
                arrays[f"{name}.last"],
            )
        return model


def _state(
    preset: Preset,
    kept: Kept,
    weights: npt.NDArray[np.int16],
    last: npt.NDArray[np.int32],
) -> State:
    """The state that a coder with this preset begins with, from the arrays that a bundle stores;
    ValueError if they are not of the preset's shapes, of other types, or a weight is out of range.
    kept: counters as `_kept` stores them, uint16; weights: of the networks, last: of the network
    that joins them."""
    state = State.fresh(preset, BITS)
    shapes = (state.counters.shape, state.weights.shape, state.last.shape)
    if (kept.shape, weights.shape, last.shape) != shapes:
        raise ValueError("what it learned of pictures has another size")
    types = (kept.dtype.str, weights.dtype.str, last.dtype.str)
    if types != ("<u2", "<i2", "<i4"):
        raise ValueError("what it learned of pictures is of another type")
    if int(np.abs(last.astype(np.int64)).max()) > LARGEST_LAST:
        raise ValueError("a weight is out of range")
    state.counters[:] = _counters(kept)
    state.weights[:] = weights
    state.last[:] = last
    return state


def _kept(counters: Counters) -> Kept:
    """Round a coder's counters to 16 bits each, as they are stored: 12 bits of the probability, 4
    for a class of how often it was used, see USES. In the same shape; `_counters` restores them."""
    # the lowest byte of a counter is how often it was used
    uses = np.searchsorted(USES, counters & 255, "right") - 1
    chances = counters >> (32 - KEPT_BITS)
    return (chances << 4 | uses).astype(np.uint16)


def _counters(kept: Kept) -> Counters:
    """Restore counters from the 16 bits that `_kept` made of each, in the same shape: the
    probability in the middle of those that round to the same, the least use of its class."""
    lost_bits = 32 - KEPT_BITS - COUNT_BITS
    middle = 1 << (lost_bits - 1)
    chances = kept.astype(np.uint32) >> 4
    probabilities = chances << lost_bits | middle
    uses = np.array(USES, np.uint32)[kept & 15]
    counters: Counters = probabilities << COUNT_BITS | uses
    return counters
