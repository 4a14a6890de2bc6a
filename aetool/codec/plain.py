"""Text compressed as a whole by general compressors, a size that every coding by columns must
beat."""

from __future__ import annotations

from aetool.codec import blobs, stages

SMALL = 128 << 10  # bytes: of so few everything is tried, which takes some milliseconds
SAMPLES, SAMPLE = (
    4,
    16 << 10,
)  # parts of a longer text, and their bytes, that tell what a stage does
OF_SMALL = (
    "lzma2",
    "bzip2",
    "mixed",
)  # zstd, which is seldom smaller, takes a tenth of a second to load
# Parts of what the sample took at its rate, which the whole text takes at least: repeats that lie
# farther apart than the sample is long are seen by the quick look at a longer part
BZIP2_GAINS, LZMA_GAINS = 0.75, 0.95
PART = 1 << 20  # bytes of that quick look


def packed(
    text: bytes,
    most: int,
    quick: bool,
    wanted: tuple[str, ...] | None = None,
    binary: bool = False,
    look: int | None = None,
) -> bytes | None:
    """Compress a text by the general compressor, a stage, that makes it smallest, as blobs.pack
    does, whose inverse is blobs.unpack; None unless that takes fewer than `most` bytes, or without
    a stage to try.

    quick: stages search less for repeats; else more. wanted: the names of the stages to try; None:
    those that `promising` names. binary: the bytes are no text, and may be numbers of several bytes
    each. look: how many bytes all of the text takes, compressed quickly by LZMA2, where the caller
    knows it, else None; not read where stages are wanted.
    """
    if wanted is None:
        wanted = promising(text, most, quick, look)
    if not wanted:
        return None
    squeezed = blobs.pack(text, quick, wanted, thorough=not quick, binary=binary)
    return squeezed if len(squeezed) < most else None


def promising(text: bytes, most: int, quick: bool, look: int | None = None) -> tuple[str, ...]:
    """The names of those stages, general compressors, that may compress a text to fewer than `most`
    bytes, by a look at parts of it; () if none may. All OF_SMALL ("lzma2", "bzip2", "mixed") of a
    text of at most SMALL (2^17) bytes, without a look.

    So a text whose columns are coded well costs a twentieth more time, not three times as much.
    quick: stages will search less for repeats. look: how many bytes all of the text takes,
    compressed quickly by LZMA2, where the caller knows it; else None.
    """
    if len(text) <= SMALL:
        return OF_SMALL
    step = len(text) // SAMPLES
    sample = b"".join(text[first : first + SAMPLE] for first in range(0, step * SAMPLES, step))
    by_sample = len(text) / len(sample)
    bzip2 = stages.named("bzip2").squeeze(sample, quick)
    stages_worth_it = ["bzip2"] if len(bzip2) * by_sample * BZIP2_GAINS < most else []
    lzma2 = stages.named("lzma2")
    part = text[:PART]
    by_part = float(look) if look is not None else 0.0
    if look is None:
        by_part = len(lzma2.squeeze(part, quick=True)) * len(text) / len(part)
    gains = 1.0
    # how much more a thorough search saves than the quick one of this look
    if not quick:
        thorough = lzma2.squeeze(sample, quick=False, thorough=True)
        gains = len(thorough) / len(lzma2.squeeze(sample, quick=True))
    if by_part * gains * LZMA_GAINS < most:
        stages_worth_it += ["lzma2", "zstd"]
    return tuple(stages_worth_it)
