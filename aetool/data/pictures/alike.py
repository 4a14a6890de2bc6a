"""Pictures that all have one form, whatever files they are in, as batches of their pixels.

Errors of several pictures can be told by one number only where each has as many values as the
others, and as deep ones.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from aetool.data.images import FolderSource, ImageSource, ListSource, PictureFiles, check_shape
from aetool.data.pictures.decoding import Sight, UnreadableError
from aetool.data.pictures.framed import framed
from aetool.data.pictures.framing import Framing, in_words
from aetool.errors import DataError, ParamError


class _Form(NamedTuple):
    """The properties in which all pictures of a source must agree. width, height: in pixels;
    coloured: whether in colour, not gray; has_more_bits: whether a value has more than 8 bits."""

    width: int
    height: int
    coloured: bool
    has_more_bits: bool

    @classmethod
    def of(cls, sight: Sight) -> _Form:
        """Read the form of a picture off its header; values of more than 8 bits count as such, also
        where only the upper 8 are read."""
        return cls(sight.width, sight.height, sight.coloured, sight.deep or sight.cut)

    def difference_from(self, other: _Form) -> str:
        """How this form differs from `other`, that of most pictures, in words to go behind the
        picture's name: in its size; of one size in its bits; else in its colour, in which it is
        taken to differ."""
        if self[:2] != other[:2]:
            return f"is {in_words(self[:2])}, and most are {in_words(other[:2])}"
        if self.has_more_bits != other.has_more_bits:
            bits = ("8", "more than 8")
            own = bits[self.has_more_bits]
            return f"has {own} bits a value, and most have {bits[other.has_more_bits]}"
        tones = ("gray", "in colour")
        return f"is {tones[self.coloured]}, and most are {tones[other.coloured]}"


def of_one_form(
    source: ImageSource,
    purpose: str = "errors are told of pictures",
) -> ImageSource:
    """Make sure that all pictures of a source have one form (size, colour or gray, 8 bits a value),
    and return a source whose batches have their pixels: the source itself where its batches do.

    purpose: what needs that, in words for a message that go before "of one size".

    ParamError for pictures of several sizes, gray ones among those in colour, any with more than 8
    bits a value or with transparent parts, and those that no single archive holds; DataError where
    one cannot be read, there is none, or they are larger than check_shape allows. One that is found
    damaged only when it is decoded is a DataError of the batches.
    """
    _refuse_loose(source)
    if source.has_plain_batches:
        return source
    form = _form_of(source, purpose)
    # all are opaque: a channel of opacity, if they have one, is left out
    channels = 3 if form.coloured else 1
    check_shape(source.name, (channels, form.height, form.width))
    return framed(source, Framing(channels, form.width, form.height), strict=True)


def are_of_one_form(source: ImageSource) -> bool:
    """Whether all pictures have one form by their headers (size, colour or gray), of 8 bits a
    value: `of_one_form` takes them then, if all can be read and are opaque, and they are neither
    loose files nor a list. Pictures whose headers cannot be read are passed over; False if no
    others are there."""
    forms = set()
    for sight in source.sights:
        if isinstance(sight, Sight):
            forms.add(_Form.of(sight))
    # which picture is the odd one, `of_one_form` says
    if len(forms) != 1:
        return False
    form = forms.pop()
    return not form.has_more_bits


def _refuse_loose(source: ImageSource) -> None:
    """Raise ParamError if the pictures are of several loose files, whose source has no `place`, or
    in a list, and so not of one folder, file or array, as an archive is."""
    is_loose = isinstance(source, PictureFiles) and not isinstance(source, FolderSource)
    # an archive restores one thing with one name: several loose files have none in common
    if isinstance(source, ListSource) or (is_loose and source.place is None):
        raise ParamError(
            f"{source.name}: an archive is of one folder, file or array of pictures; put these "
            "into one first"
        )


def _form_of(source: ImageSource, purpose: str) -> _Form:
    """The form of the source's pictures, by their headers; ParamError, which names the first odd
    one, if they differ, or have more than 8 bits or transparent parts, DataError if one cannot be
    read or there is none. purpose: what needs one form, in words that go before "of one size"."""
    forms = []
    for record, sight in enumerate(source.sights):
        if isinstance(sight, str):
            raise DataError(f"{source.name}: {_title(source, record)}: {sight}")
        forms.append(_Form.of(sight))
    if not forms:
        raise DataError(source.why_empty())
    # the form of most pictures is the norm, not that of the first, which may be the odd one
    [(common, _)] = Counter(forms).most_common(1)
    for record, form in enumerate(forms):
        if form != common:
            _refuse(source, record, form.difference_from(common), purpose)
        if form.has_more_bits:
            _refuse(source, record, "has more than 8 bits a value", purpose)
        if _is_transparent(source, record):
            fault = "has transparent parts"
            if not isinstance(source, PictureFiles):
                fault += ", the last of its 2 or 4 channels; an array has 1 or 3"
            _refuse(source, record, fault, purpose)
    return common


def _refuse(source: ImageSource, record: int, fault: str, purpose: str) -> None:
    """Raise a ParamError that says what is odd about picture number `record`, from 0, and what
    needs it otherwise. fault: what is odd, in words to go behind its name; purpose: what needs one
    form, in words that go before "of one size"."""
    raise ParamError(
        f"{source.name}: {_title(source, record)} {fault}; {purpose} of one size, of 8 bits a "
        "value, opaque, and all gray or all in colour: bring them to one form first"
    )


def _is_transparent(source: ImageSource, record: int) -> bool:
    """Whether any pixel of picture number `record`, from 0, is not opaque; DataError if it cannot
    be decoded. Most pictures with a channel of opacity are opaque all over."""
    sight = source.sights[record]
    if not isinstance(sight, Sight) or not sight.alpha:
        return False
    try:
        # the pixels are read only of those few that may be transparent
        return source.decoded(record).alpha is not None
    except UnreadableError as fault:
        raise DataError(f"{source.name}: {_title(source, record)}: {fault}") from None


def _title(source: ImageSource, record: int) -> str:
    """The words by which messages name picture number `record`, from 0: its title, or "picture" and
    its number from 1."""
    if source.titles:
        return source.titles[record]
    return f"picture {record + 1}"
