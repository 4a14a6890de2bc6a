"""Files of other programs, known by their first bytes, and what to type to have their records.

None is opened here: each is one line that says what it is, and how to get a table out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# {reader}: the function of pandas that reads such a file
FRAME = "or in Python: aetool.detect(pandas.{reader}({name!r}))"


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is not read here. first_bytes: it begins with one of these, which are in
    lower case for markup; called: what it is, with an article; advice: how to get a table out of
    it, with {name} or {name!r} for the file's name."""

    first_bytes: tuple[bytes, ...]
    called: str
    advice: str


# by first bytes; where pandas reads such a file, that is the shortest way
KINDS = (
    Foreign(
        (b"%PDF",),
        "a PDF document",
        "give the table it was made of, as CSV",
    ),
    Foreign(
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",),
        "an old Excel or Office file",
        "save the sheet as CSV, " + FRAME.replace("{reader}", "read_excel"),
    ),
    Foreign(
        (b"\x89HDF\r\n\x1a\n",),
        "an HDF5 file",
        FRAME.removeprefix("or ").replace("{reader}", "read_hdf"),
    ),
    Foreign(
        (b"FEA1",),
        "a file of Feather's first version",
        FRAME.removeprefix("or ").replace("{reader}", "read_feather"),
    ),
    Foreign(
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "a Python pickle, which is not opened, for that could run anything",
        "save what it holds as CSV or Parquet (DataFrame.to_parquet)",
    ),
    Foreign(
        (b"<stata_dta>",),
        "a Stata file",
        FRAME.removeprefix("or ").replace("{reader}", "read_stata"),
    ),
    Foreign(
        (b"$FL2", b"$FL3"),
        "an SPSS file",
        FRAME.removeprefix("or ").replace("{reader}", "read_spss"),
    ),
    Foreign(
        (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"X\n\0\0\0\x02", b"X\n\0\0\0\x03"),
        "R data",
        "write the frame as CSV in R: write.csv(x, 't.csv', row.names = FALSE)",
    ),
    Foreign((b"BZh",), "a bzip2 file", "unpack it first: bunzip2 -k {name}"),
    Foreign((b"7z\xbc\xaf\x27\x1c",), "a 7-Zip archive", "unpack it, and give the table in it"),
    Foreign((b"Rar!",), "a RAR archive", "unpack it, and give the table in it"),
    Foreign((b"\x7fELF", b"MZ\x90\0"), "a program", "give a table or a folder of pictures"),
)
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
MARKUP = (
    Foreign(
        (b"<!doctype html", b"<html"),
        "a web page",
        "save the table in it as CSV; if it was downloaded, take the link to the file itself",
    ),
    Foreign((b"<?xml", b"<svg"), "an XML file", "save its records as CSV or JSON lines"),
)
# of zip files, by the suffix of their names; numpy's may come without one, as bytes in memory
ZIPS = {
    "": "an array file",
    ".npz": "an array file",
    ".xlsx": "an Excel workbook",
    ".xlsm": "an Excel workbook",
    ".ods": "a LibreOffice document",
    ".docx": "a Word document",
}
TAR = slice(257, 262)  # where a tar says what it is, behind the name of its first member
HEAD = 512  # bytes that tell the kind


def is_picture(head: bytes) -> bool:
    """Whether a file's first bytes, six or more, are those of JPEG, PNG, GIF or TIFF."""
    return head.startswith(PICTURES)


def kind_of(head: bytes, name: str) -> str | None:
    """What a file is and how to get a table out of it, in words for a message, by `head`, its first
    HEAD (512) bytes; None if it is of none of KINDS and MARKUP, and no tar. name: the file's."""
    for kind in KINDS:
        if head.startswith(kind.first_bytes):
            return _message(kind, name)
    # a byte-order mark, blanks and capitals do not matter in markup
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for kind in MARKUP:
        if text.startswith(kind.first_bytes):
            return _message(kind, name)
    if head[TAR] == b"ustar":
        return "this is a tar archive; unpack it, and give the table or the folder in it"
    return None


def _message(kind: Foreign, name: str) -> str:
    """The words of a message for a file of this kind: what it is, and the advice with the file's
    name."""
    advice = kind.advice.replace("{name!r}", repr(name)).replace("{name}", name)
    return f"this is {kind.called}; {advice}"


def called_by_name(name: str) -> str:
    """What a zip file is, with an article, by the suffix of its name, for messages of one that is
    damaged, whose members do not tell it."""
    suffix = Path(name).suffix.lower()
    return ZIPS.get(suffix, "a zip file")


def zip_of(members: list[str], name: str) -> str | None:
    """What a zip file is and how to get a table out of it, in words for a message, by the names of
    its members; None if it has arrays of numpy, or no members. name: the file's."""
    if "content.xml" in members:
        return _workbook("a LibreOffice document", name)
    if any(member.startswith("word/") for member in members):
        return "this is a Word document; give a table, such as CSV"
    # arrays of numpy are members called .npy
    if members and not any(member.endswith(".npy") for member in members):
        few = ", ".join(members[:3]) + (" ..." if len(members) > 3 else "")
        return f"this is a zip of {few}; unpack it (unzip {name}) and give what is in it"
    return None


def _workbook(what: str, name: str) -> str:
    """The words of a message for a file of a spreadsheet. what: how it is called; name: of the
    file."""
    frame = FRAME.replace("{reader}", "read_excel").replace("{name!r}", repr(name))
    return f"this is {what}; save its sheet as CSV, {frame}"
