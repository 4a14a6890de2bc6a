"""What is kept of searches changes nothing but time."""

import numpy as np
import pytest

from aetool import kernel, operations
from aetool.codec.kept import Kept, digest_of, keeping
from aetool.operations import CompressOptions
from tests.conftest import write_rows


def test_results_are_kept_within_a_scope_and_forgotten_with_the_outermost():
    results = Kept(2)
    assert results.keep("a", 1) == 1 and results.get("a") is None
    with keeping():
        with keeping():
            results.keep("a", 1)
        assert results.get("a") == 1 and results.get("b") is None
        results.keep("b", 2)
        # there is no more room: all are forgotten
        results.keep("c", 3)
        assert results.get("a") is None and results.get("c") == 3
    assert results.get("c") is None
    always = Kept(2, always=True)
    always.keep("a", 1)
    assert always.get("a") == 1


def test_the_reference_takes_nothing_that_the_kernel_computed(monkeypatch):
    with keeping():
        results = Kept(2)
        monkeypatch.setattr(kernel, "C", object())
        results.keep("a", 1)
        monkeypatch.setattr(kernel, "C", None)
        assert results.get("a") is None


def test_digests_tell_arrays_apart():
    one, other = np.arange(3), np.arange(2)
    digests = {
        digest_of(one), digest_of(other), digest_of(one, other), digest_of(other, one),
        digest_of(one, None), digest_of(None), digest_of(), digest_of(np.arange(0)),
    }  # fmt: skip
    assert len(digests) == 8
    assert digest_of(one) == digest_of(np.arange(6)[:3])


@pytest.mark.parametrize("bound", [None, "0.02", "0.5"])
def test_archives_are_the_same_whatever_was_kept(bound, tmp_path):
    path = write_rows(tmp_path / "t.csv", 120, seed=0)
    options = CompressOptions(max_error={"": bound} if bound else {}, force=True)
    operations.compress(path, tmp_path / "alone.aez", None, options)
    with keeping():
        for before in ("0.02", "0.5", "0.02"):
            others = CompressOptions(max_error={"": before}, force=True)
            operations.compress(path, tmp_path / "before.aez", None, others)
        operations.compress(path, tmp_path / "kept.aez", None, options)
    assert (tmp_path / "kept.aez").read_bytes() == (tmp_path / "alone.aez").read_bytes()
