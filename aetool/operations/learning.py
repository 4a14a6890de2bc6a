"""What archives of many small files share, learned with a model."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from aetool.bundle import CODEC, Bundle
from aetool.codec import picture_models, pictures, shared
from aetool.codec.picture_blobs import Samples
from aetool.codec.records import Layout
from aetool.data.images import ImageSource
from aetool.data.pictures.decoding import Decoded, Sight
from aetool.data.sources import CsvSource
from aetool.operations import texts

PIECE, MOST = 2 << 20, 12 << 20  # bytes of text: read at a time, and learned from
MOST_VALUES = 1 << 24  # of pixels that are learned from
GROUPED = 256  # pictures


def with_codec(
    model: Bundle, source: CsvSource, max_error: Mapping[str, str], students: bool, seed: int
) -> Bundle:
    """The model with what it learned for archives; as it was, if the records are not regular."""
    member = learn(source, max_error, students, seed)
    if member is None:
        return model
    return dataclasses.replace(model, graphs={**model.graphs, CODEC: member})


def with_pictures(model: Bundle, source: ImageSource) -> Bundle:
    """The model with what pictures of its source teach the coder of pictures."""
    seen = [sight for sight in source.sights if isinstance(sight, Sight)]
    values = sum(sight.width * sight.height * (3 if sight.coloured else 1) for sight in seen)
    # of many pictures groups from everywhere among them
    every = max(1, values // MOST_VALUES)
    groups = itertools.islice(_alike(source), None, None, every)
    learned = picture_models.to_bytes(pictures.learn(groups, MOST_VALUES))
    return dataclasses.replace(model, graphs={**model.graphs, CODEC: learned})


def _alike(source: ImageSource) -> Iterator[Samples]:
    """Pictures (n, channels, height, width) of one size and mode that follow one another, as an
    archive has them."""
    readable = (picture for picture in source.pictures() if isinstance(picture, Decoded))
    arrays = (_channels_first(picture) for picture in readable)
    for _, group in itertools.groupby(arrays, lambda array: (array.shape, array.dtype.str)):
        while some := list(itertools.islice(group, GROUPED)):
            yield np.stack(some)


def _channels_first(picture: Decoded) -> Samples:
    pixels = picture.pixels
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if picture.alpha is None:
        return planes
    alpha: Samples = picture.alpha[None].astype(planes.dtype)
    return np.concatenate([planes, alpha])


def learn(
    source: CsvSource, max_error: Mapping[str, str], students: bool, seed: int
) -> bytes | None:
    """The codec's member of a bundle; None where the table's records are not regular."""
    head, names = texts.header_of(source)
    layout = Layout(source.dialect.rule, names, shared.EFFORT)
    bounds = texts.bounds_of(source, layout, max_error, names) if max_error else {}
    every = max(1, -(-source.path.stat().st_size // MOST))
    pieces = texts.pieces_of(source, PIECE)
    next(pieces)
    kept = [piece for i, piece in enumerate(pieces) if i % every == 0]
    made = shared.learn(
        b"".join(kept), head, source.format, names, bounds, max_error, students, seed
    )
    return shared.to_bytes(made) if made is not None else None
