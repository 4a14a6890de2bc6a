"""An Arrow schema as JSON and back: names, types, what may be missing, metadata, all in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aetool.errors import ArchiveError

if TYPE_CHECKING:
    import pyarrow as pa

Json = list[object] | dict[str, object] | str | int | bool
# Types without parameters: name in JSON -> name of the function of pyarrow that makes it.
PLAIN = {
    **{name: name for name in ("null", "int8", "int16", "int32", "int64", "uint8", "uint16")},
    **{name: name for name in ("uint32", "uint64", "float16", "float32", "float64", "date32")},
    **{name: name for name in ("date64", "string", "binary", "large_string", "large_binary")},
    **{name: name for name in ("string_view", "binary_view")},
    "bool": "bool_",  # bool is Python's own
}
SHOWN = 5  # columns that a message names
UNITS = ("s", "ms", "us", "ns")
DECIMALS = ("decimal32", "decimal64", "decimal128", "decimal256")


def reason_against(schema: pa.Schema) -> str | None:
    """Why a table of this schema cannot be stored in its own types, in words for a message that
    name the columns it is due to, the first SHOWN (5) of them; None if it can."""
    unsuited = []
    for place, field in enumerate(schema):
        reason = _reason_against_column(field, place)
        if reason is not None:
            unsuited.append(reason)
    if unsuited:
        more = len(unsuited) - SHOWN
        others = [f"{more:,} more columns"] if more > 0 else []
        return ", ".join([*unsuited[:SHOWN], *others])
    # metadata are read as a dictionary of Python, which has no key twice
    if from_json(to_json(schema)).serialize() != schema.serialize():
        return "its metadata have a key twice, or an order of their own"
    return None


def _reason_against_column(field: pa.Field, place: int) -> str | None:
    """Why a column of this field cannot be stored in its own type, in words for a message; None if
    it can. place: of the column in its table, from 0."""
    try:
        # UnicodeError, which is a ValueError, for a name that is no text
        name = field.name
    except UnicodeError:
        return f"column {place + 1} has a name that is no text"
    try:
        type_to_json(field.type)
        metadata_to_json(field.metadata)
    except UnicodeError:
        return f"column {place + 1} has a name that is no text"
    except ValueError as error:
        return f"column {place + 1} '{name}' is {error}"
    return None


def to_json(schema: pa.Schema) -> dict[str, object]:
    """An Arrow schema as JSON: {"fields": [{"name", "type", "required", "metadata"} ...],
    "metadata"}, fields in order, what says nothing left out; ValueError for a type that has no JSON
    here."""
    fields = []
    for field in schema:
        entry: dict[str, object] = {"name": field.name, "type": type_to_json(field.type)}
        if not field.nullable:
            entry["required"] = True
        if field.metadata:
            entry["metadata"] = metadata_to_json(field.metadata)
        fields.append(entry)
    described: dict[str, object] = {"fields": fields}
    if schema.metadata is not None:
        described["metadata"] = metadata_to_json(schema.metadata)
    return described


def from_json(described: object) -> pa.Schema:
    """The Arrow schema that `to_json` wrote, of its JSON, parsed: a field may have missing values
    unless it is "required"; without "metadata" it has none. ArchiveError for anything else."""
    import pyarrow as pa

    try:
        # of a damaged archive it may be anything
        assert isinstance(described, dict)
        fields = [
            pa.field(
                str(entry["name"]),
                type_from_json(entry["type"]),
                not entry.get("required", False),
                _metadata_of(entry.get("metadata")),
            )
            for entry in described["fields"]
        ]
        return pa.schema(fields, _metadata_of(described.get("metadata")))
    except (
        AssertionError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ArchiveError(f"damaged: a schema does not make sense ({error})") from None


def metadata_to_json(metadata: Mapping[bytes, bytes] | None) -> list[list[str]]:
    """Arrow's metadata as a list of [key, value] in order, their bytes as latin-1; [] for None."""
    pairs = (metadata or {}).items()
    return [[key.decode("latin-1"), value.decode("latin-1")] for key, value in pairs]


def _metadata_of(pairs: list[list[str]] | None) -> dict[bytes, bytes] | None:
    """Arrow's metadata of a list of [key, value] that `metadata_to_json` wrote; None for None.
    UnicodeEncodeError for texts that are not latin-1."""
    if pairs is None:
        return None
    return {key.encode("latin-1"): value.encode("latin-1") for key, value in pairs}


def type_to_json(kind: pa.DataType) -> Json:
    """An Arrow type as JSON: its name, or a list of its name and parameters: ["decimal128",
    precision, scale], ["time32", unit], ["timestamp", unit] with the time zone behind if it has
    one, ["duration", unit], ["fixed", bytes of a value], ["dictionary", index type, value type,
    whether it is ordered]. ValueError for a type that has no JSON here, such as lists, structures,
    and dictionaries of dictionaries."""
    import pyarrow as pa
    from pyarrow import types

    for name, function in PLAIN.items():
        if kind == getattr(pa, function)():
            return name
    if types.is_decimal(kind):
        # 32, 64, 128 and 256 bits are the numbers 0 to 3 of DECIMALS
        number = (kind.bit_width // 32).bit_length() - 1
        return [DECIMALS[number], kind.precision, kind.scale]
    if types.is_time(kind):
        return ["time32" if types.is_time32(kind) else "time64", kind.unit]
    if types.is_timestamp(kind):
        if kind.tz is None:
            return ["timestamp", kind.unit]
        return ["timestamp", kind.unit, kind.tz]
    if types.is_duration(kind):
        return ["duration", kind.unit]
    if types.is_fixed_size_binary(kind):
        return ["fixed", kind.byte_width]
    if types.is_dictionary(kind) and not types.is_dictionary(kind.value_type):
        index = type_to_json(kind.index_type)
        values = type_to_json(kind.value_type)
        return ["dictionary", index, values, kind.ordered]
    raise ValueError(f"of type {kind}")


def type_from_json(described: object) -> pa.DataType:
    """The Arrow type that `type_to_json` wrote; ValueError, LookupError, TypeError, OverflowError
    or AssertionError for anything else, such as a dictionary of dictionaries."""
    import pyarrow as pa

    # a type without parameters
    if isinstance(described, str):
        return getattr(pa, PLAIN[described])()
    assert isinstance(described, list)
    name, *arguments = described
    assert isinstance(name, str)
    if name in DECIMALS:
        return getattr(pa, name)(*arguments)
    if name in ("time32", "time64", "timestamp", "duration") and arguments[0] in UNITS:
        return getattr(pa, name)(*arguments)
    if name == "fixed":
        (width,) = arguments
        if type(width) is not int or not 0 <= width < 1 << 31:
            raise ValueError(f"bytes of length {width}")
        return pa.binary(width)
    if name == "dictionary":
        index, values, is_ordered = arguments
        # neither may be a dictionary: a damaged archive could nest them without end
        assert isinstance(index, str)
        assert isinstance(values, str) or values[0] != "dictionary"
        return pa.dictionary(type_from_json(index), type_from_json(values), bool(is_ordered))
    raise ValueError(f"type {name}")
