"""Text compressed as a whole by general compressors, a size that every coding by columns must
beat."""

from __future__ import annotations

from aetool.codec import blobs, stages

SMALL = 128 << 10  # bytes: of so few everything is tried, which takes some milliseconds
SAMPLE = 16 << 10  # bytes of each sample of a longer text, which tell what a stage does
SAMPLES = 4, 16  # the fewest and the most of them, by the text's length: its parts may differ
APART = 1 << 20  # bytes of a text for each sample, up to the most
OF_SMALL = (
    "lzma2",
    "bzip2",
    stages.MIXED_WIDELY,
)  # zstd, which is seldom smaller, takes a tenth of a second to load
# Parts of what the sample took at its rate, which the whole text takes at least: repeats that lie
# farther apart than the sample is long are seen by the quick look at longer parts
BZIP2_GAINS, LZMA_GAINS = 0.75, 0.95
QUICK_GAINS = 0.75  # the same of a search that stays quick, of shorter parts
PARTS = 16  # which that quick look is at; a text no longer than these is looked at as it is
PART = 32 << 10  # bytes of each of them at least,
LOOKED_AT = 0.25  # and of all of them together as a part of the text,
QUICKLY_LOOKED_AT = 0.1  # where stages will search less for repeats
MOST_GAINED = 0.6  # of its bytes does a thorough search leave at least of what a quick one does


def packed(
    text: bytes,
    most: int,
    quick: bool,
    stage_names: tuple[str, ...] | None = None,
    binary: bool = False,
    look: int | None = None,
) -> bytes | None:
    """Compress a text by the general compressor, a stage, that makes it smallest, as blobs.pack
    does, whose inverse is blobs.unpack; None unless that takes fewer than `most` bytes, or without
    a stage to try.

    quick: stages search less for repeats; else more. stage_names: the names of the stages to try;
    None: those that `promising` names. binary: the bytes are no text, and may be numbers of several
    bytes each. look: how many bytes all of the text takes, compressed quickly by LZMA2, where the
    caller knows it, else None; not read where stages are named.
    """
    if stage_names is None:
        stage_names = promising(text, most, quick, look)
    if not stage_names:
        return None
    squeezed = blobs.pack(
        text,
        quick,
        stage_names,
        thorough=not quick,
        binary=binary,
        most=most,
    )
    return squeezed if len(squeezed) < most else None


def mixtures(text: bytes) -> tuple[str, ...]:
    """The names of the stages that mix contexts which are worth trying on a text that is stored as
    a whole: the one with words, and for a text of at most SMALL (2^17) bytes also the one without,
    which learns the columns of a small table sooner."""
    if len(text) <= SMALL:
        return (stages.MIXED, stages.MIXED_WIDELY)
    return (stages.MIXED_WIDELY,)


def promising(text: bytes, most: int, quick: bool, look: int | None = None) -> tuple[str, ...]:
    """The names of those stages, general compressors, that may compress a text to fewer than `most`
    bytes, as a trial on parts of it tells; () if none may. Of a text of more than SMALL (2^17)
    bytes these are among "bzip2", "lzma2" and "zstd", the last two together. Of a shorter one they
    are all of OF_SMALL ("lzma2", "bzip2", "mixed widely"), without a trial.

    So a text whose columns are coded well costs a twentieth more time, not three times as much.
    quick: stages will search less for repeats, and bzip2 is named for short texts alone. look: how
    many bytes all of the text takes, compressed quickly by LZMA2, where the caller knows it; None:
    parts of it are compressed to tell.
    """
    if len(text) <= SMALL:
        return OF_SMALL
    if quick:
        return _quickly_promising(text, most, look)
    fewest_samples, most_samples = SAMPLES
    samples = len(text) // APART
    samples = min(most_samples, samples)
    samples = max(fewest_samples, samples)
    sample = spread(text, samples, SAMPLE)
    times_sample = len(text) / len(sample)
    bzip2 = stages.named("bzip2").squeeze(sample, quick=False)
    stages_worth_it = []
    if len(bzip2) * times_sample * BZIP2_GAINS < most:
        stages_worth_it.append("bzip2")
    lzma2 = stages.named("lzma2")
    size_by_parts = _size_by_parts(text, LOOKED_AT) if look is None else look
    # what a thorough search leaves of the bytes that the quick one of this look takes
    share_thorough = 1.0
    if size_by_parts * MOST_GAINED < most:
        thorough = lzma2.squeeze(sample, quick=False, thorough=True)
        share_thorough = len(thorough) / len(lzma2.squeeze(sample, quick=True))
    if size_by_parts * share_thorough * LZMA_GAINS < most:
        stages_worth_it += ["lzma2", "zstd"]
    return tuple(stages_worth_it)


def _quickly_promising(text: bytes, most: int, look: int | None) -> tuple[str, ...]:
    """What `promising` returns of a text of more than SMALL (2^17) bytes for stages that search
    less for repeats: ("lzma2", "zstd") or (), and never bzip2, which takes longer than all else
    that is done quickly. most: bytes that the result must stay below. look: how many bytes all of
    the text takes by a quick LZMA2; None: parts of it are compressed to tell."""
    size_by_parts = _size_by_parts(text, QUICKLY_LOOKED_AT) if look is None else look
    if size_by_parts * QUICK_GAINS < most:
        return ("lzma2", "zstd")
    return ()


def _size_by_parts(text: bytes, looked_at: float) -> int:
    """Estimate how many bytes a text, of one at least, takes by a quick LZMA2: it compresses PARTS
    (16) parts of the text from all over, of PART (2^15) bytes at least, and takes the rest to be
    like these. looked_at: how long these are together, as a part of the text, 0 to 1."""
    bytes_of_parts = int(len(text) * looked_at)
    size = max(PART, bytes_of_parts // PARTS)
    parts = spread(text, PARTS, size)
    size_of_parts = len(stages.named("lzma2").squeeze(parts, quick=True))
    return round(size_of_parts * len(text) / len(parts))


def spread(text: bytes, count: int, size: int) -> bytes:
    """Parts of a text, one behind the other: `count`, two or more, of `size` bytes each, at equal
    distances from its begin to its end; the text itself if it is no longer than these."""
    if len(text) <= count * size:
        return text
    last = len(text) - size
    parts = []
    for number in range(count):
        first = last * number // (count - 1)
        parts.append(text[first : first + size])
    return b"".join(parts)
