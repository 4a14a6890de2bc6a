"""A folder that is replaced is the old one or the new one, whole, whatever happens and whenever: by
kills at forced and at random instants, and by an error at the n-th call of the system for every n.
Where two names cannot be exchanged, the next run, or the next reader, makes it so."""

import errno
import os
import random

import numpy as np
import pytest
from PIL import Image

from aetool import operations
from aetool.data.sources import open_source
from aetool.errors import AetoolError
from aetool.files import new_folder, repair, trees
from tests.forked import forked
from tests.sweeps import checkered

CALLS = ("mkdir", "link", "open", "fsync", "rename", "chmod", "scandir", "unlink", "rmdir")


@pytest.fixture
def place(tmp_path):
    """An archive of a folder, and an old folder with files of the same names and others."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    for number, name in enumerate(("x.png", "sub/y.png")):
        pixels = np.random.default_rng(number).integers(0, 255, (6, 6)).astype(np.uint8)
        Image.fromarray(pixels).save(source / name)
    (source / "a.txt").write_text("new")
    operations.compress(source, tmp_path / "p.aez")
    return tmp_path


def old_folder(target):
    (target / "sub" / "own").mkdir(parents=True)
    (target / "a.txt").write_text("old")
    (target / "thesis.txt").write_text("thesis")
    (target / "sub" / "own" / "z").write_text("z")


def held(folder):
    """Every file of a folder with its bytes; None if there is no folder."""
    if not folder.exists():
        return None
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def outcomes(place):
    """What target holds before and after, with others in it and without."""
    target = place / "target"
    operations.decompress(place / "p.aez", target)
    brought = held(target)
    trees.shutil.rmtree(target)
    old_folder(target)
    before = held(target)
    operations.decompress(place / "p.aez", target, force=True)
    after = held(target)
    assert after == before | brought
    trees.shutil.rmtree(target)
    return before, after, brought


def strays(place):
    return {path.name for path in place.iterdir()} - {"source", "p.aez", "target"}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("exists", "exchanged"), checkered([True, False], [True, False]))
@pytest.mark.parametrize("times", [8, pytest.param(500, marks=pytest.mark.long)])
def test_a_kill_leaves_the_old_folder_or_the_new_one(place, monkeypatch, exchanged, exists, times):
    target = place / "target"
    before, after, brought = outcomes(place)
    if not exchanged:
        monkeypatch.setattr(trees, "exchange", lambda one, other: False)
    expected = after if exists else brought

    def work():
        operations.decompress(place / "p.aez", target, force=True)
        return 0

    if exists:
        old_folder(target)
    calls = forked(work).calls
    assert held(target) == expected and not strays(place)
    rng = random.Random(times)
    seen = set()
    for i in range(times):
        trees.shutil.rmtree(target, ignore_errors=True)
        if exists:
            old_folder(target)
        # two of three in the last steps, where names change
        last = calls - rng.randrange(500) if i % 3 else rng.randrange(1, calls)
        if forked(work, last).status == 0:
            continue
        if exchanged and exists:
            assert held(target) in (before, after), "at every instant"
        elif not target.exists() and exists:
            # between two steps: a reader finds the folder again
            assert open_source(target).count == 2
        repair(target)
        assert held(target) in ((before, after) if exists else (None, brought))
        assert not strays(place)
        seen.add(held(target) == expected)
        work()
        assert held(target) == expected and not strays(place)
    assert seen == {True, False} or times < 100


@pytest.mark.parametrize(
    ("call", "exchanged"),
    [
        *((call, True) for call in (*CALLS, "exchange", "syncfs")),
        ("rename", False),
        ("rmdir", False),
    ],
)
def test_an_error_at_any_call_leaves_the_old_folder_or_the_new_one(
    place, monkeypatch, call, exchanged
):
    target = place / "target"
    before, after, _ = outcomes(place)
    archive = place / "p.aez"
    if not exchanged:
        monkeypatch.setattr(trees, "exchange", lambda one, other: False)
    home = {"exchange": trees, "syncfs": trees}.get(call, os)
    name = {"syncfs": "sync_tree"}.get(call, call)
    plain = getattr(home, name)
    failures = 0
    for n in range(1, 200):
        trees.shutil.rmtree(target, ignore_errors=True)
        old_folder(target)
        seen = 0

        def fails(*given, **more):
            nonlocal seen
            seen += 1
            if seen == n:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return plain(*given, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(home, name, fails)
            try:
                operations.decompress(archive, target, force=True)
                broken = False
            except AetoolError as error:
                assert "Input/output error" in str(error)
                broken = True
        failures += broken
        assert held(target) in ((before, after) if broken else (after,)), (call, n)
        repair(target)
        assert held(target) in ((before, after) if broken else (after,)), (call, n)
        assert not strays(place), (call, n)
        if seen < n:
            break
    assert seen < n
    assert failures or call in ("scandir", "exchange", "rmdir", "unlink")


def test_what_comes_while_it_is_replaced_is_kept(place):
    """A file that appears, and one that is saved anew, after the new folder was filled."""
    target = place / "target"
    old_folder(target)
    plain = trees._put_in_place

    def meddled(wrapper, resolved):
        (target / "late.txt").write_text("late")
        (target / "saved").write_text("saved")
        (target / "saved").replace(target / "thesis.txt")
        plain(wrapper, resolved)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "_put_in_place", meddled)
        operations.decompress(place / "p.aez", target, force=True)
    found = held(target)
    assert found["late.txt"] == b"late" and found["thesis.txt"] == b"saved"
    assert found["a.txt"] == b"new" and not strays(place)


def test_a_writer_that_lives_is_left_alone(place):
    target = place / "target"
    with new_folder(target) as one:
        (one / "slow.txt").write_text("slow")
        repair(target)
        operations.decompress(place / "p.aez", target)
        assert (one / "slow.txt").exists()
        trees.shutil.rmtree(target)
    assert held(target) == {"slow.txt": b"slow"} and not strays(place)


@pytest.mark.parametrize(
    "journal", ["{", "[]", "{}", '{"inode": 1}', '{"inode": "x", "brought": 5}', "\xff"]
)
def test_a_damaged_journal_is_told_and_what_it_was_of_is_not_touched(tmp_path, journal):
    """Nothing else tells the old folder from the new one."""
    target = tmp_path / "target"
    wrapper = tmp_path / trees.new_name(target)
    for name in (trees.TREE, trees.OLD):
        (wrapper / name).mkdir(parents=True)
        (wrapper / name / "file").write_text(name)
    (wrapper / trees.JOURNAL).write_text(journal, encoding="latin-1")
    with pytest.raises(OSError, match="damaged: what a killed writer left .* move it away") as said:
        repair(target)
    assert trees.JOURNAL in str(said.value)
    told = pytest.raises(AetoolError, match="damaged: what a killed writer left")
    with told, new_folder(target):
        pass
    with pytest.raises(AetoolError, match="damaged: what a killed writer left"):
        open_source(target)
    for name in (trees.TREE, trees.OLD):
        assert (wrapper / name / "file").read_text() == name
