"""Readers that cannot be used are refused as they are declared, each in one line."""

from types import ModuleType

import pytest

import aetool
from aetool import declarations
from aetool.errors import PluginError


class Sound(aetool.Reader):
    """Has all that a reader needs."""

    name = "sound"

    def matches(self, path):
        return False

    def batches(self, path):
        return iter(())


class Nameless(Sound):
    name = ""


class Misspelt(Sound):
    def writes(self, path, batches):
        pass


class Partial(aetool.Reader):
    name = "partial"

    def matches(self, path):
        return False


class TooMany(Sound):
    def batches(self, path, rows):
        return iter(())


REFUSED = [
    (Nameless(), "Nameless: name is ''; wanted is what messages call it"),
    (Misspelt(), "Misspelt: writes is no member of Reader; did you mean write?"),
    (Partial(), "Partial: has no batches(self, path)"),
    (TooMany(), "TooMany: batches is declared batches(path, rows); it is called as batches(path)"),
]


@pytest.mark.parametrize(("reader", "said"), REFUSED)
def test_a_reader_that_cannot_be_used_is_refused(reader, said):
    with pytest.raises(PluginError) as caught:
        declarations.readers("p", [[Sound(), reader]])
    assert str(caught.value) == f"plugin 'p': reader {said}"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (Sound(), "returned a Sound; wanted are Readers"),
        ([Sound], "yielded <class"),
        ([ModuleType("x")], "yielded <module 'x'>; wanted is a Reader"),
    ],
)
def test_what_is_no_reader_is_refused(returned, said):
    with pytest.raises(PluginError, match="plugin 'p': aetool_readers") as caught:
        declarations.readers("p", [returned])
    assert said in str(caught.value)
