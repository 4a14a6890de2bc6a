"""Learns from pictures what archives of such pictures have in common, to be stored with a model."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from aetool.bundle import CODEC, Bundle
from aetool.codec import picture_models, pictures
from aetool.codec.picture_blobs import Samples
from aetool.data.images import ImageSource
from aetool.data.pictures.decoding import Decoded, Sight

# Of pixels that are learned from. Four times as many make other archives smaller by 0.02 to 0.07 %,
# and take four times as long.
MOST_VALUES = 1 << 22
GROUPED = 256  # pictures


def with_pictures(model: Bundle, source: ImageSource) -> Bundle:
    """A copy of the model to which statistics are added that the coder of pictures learned from
    those of a source, at most about MOST_VALUES (4 million) values of pixels."""
    values = 0
    for sight in source.sights:
        # what cannot be read is told in words
        if isinstance(sight, Sight):
            channels = 3 if sight.coloured else 1
            values += sight.width * sight.height * channels
    # of many pictures groups from everywhere among them
    step = max(1, values // MOST_VALUES)
    groups = itertools.islice(_groups_of_alike(source), None, None, step)
    learned = picture_models.to_bytes(pictures.learn(groups, MOST_VALUES))
    return dataclasses.replace(model, graphs={**model.graphs, CODEC: learned})


def _groups_of_alike(source: ImageSource) -> Iterator[Samples]:
    """Yield groups of at most GROUPED (256) consecutive pictures of one size and type, (n,
    channels, height, width) of the pixels' dtype, as an archive would group them; a picture that
    cannot be read is left out."""
    readable = (picture for picture in source.pictures() if isinstance(picture, Decoded))
    arrays = (_channels_first(picture) for picture in readable)
    for _, group in itertools.groupby(arrays, lambda array: (array.shape, array.dtype.str)):
        while pictures := list(itertools.islice(group, GROUPED)):
            yield np.stack(pictures)


def _channels_first(picture: Decoded) -> Samples:
    """Return the values of a picture with its channels first, (channels, height, width), of the
    pixels' dtype. Behind them stands, unless all of it is opaque, its opacity as one more channel,
    0 .. 255 whatever the depth of the values."""
    pixels = picture.pixels
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if picture.alpha is None:
        return planes
    alpha: Samples = picture.alpha[None].astype(planes.dtype)
    return np.concatenate([planes, alpha])
