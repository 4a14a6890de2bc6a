"""Labels of pictures by their folders: good/ and others, train/ and test/, and masks.

    parts/good/001.png          parts/scratch/001.png
    bottle/train/good/001.png   bottle/test/good/001.png
    bottle/test/crack/001.png   bottle/ground_truth/crack/001_mask.png

The second is how MVTec AD (Bergmann et al. 2019) and others lay out their pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aetool.data import notices
from aetool.data.images import ImageSource, PictureFiles
from aetool.errors import ParamError
from aetool.spelling import option

FOLDER = "folder"  # the label that pictures have
ORDINARY = ("good", "ok", "normal", "nominal", "ordinary")  # folders of ordinary pictures
TO_FIT, TO_JUDGE = ("train", "training"), ("test", "testing")
PARTS = (*TO_FIT, *TO_JUDGE, "val", "valid", "validation")
NAMED = 8  # folders in a message


def labels_of(names: Sequence[str]) -> list[str]:
    """Find the label of each picture by its name, a path with /, in order: the first folder, or the
    second if the first is one of PARTS, such as train/ or test/, in upper or lower case; "" if
    there is no such folder."""
    labels = []
    for name in names:
        folders = name.split("/")[:-1]
        if folders and folders[0].lower() in PARTS:
            folders = folders[1:]
        labels.append(folders[0] if folders else "")
    return labels


def _part_of(name: str) -> str:
    """The first folder of a picture's name, a path with /, in lower case, if that is one of PARTS:
    train, test or the like; else ""."""
    first, _, rest = name.partition("/")
    if rest and first.lower() in PARTS:
        return first.lower()
    return ""


def counted(labels: Sequence[str]) -> str:
    """How many records have each label, the most frequent first, as text: "good (20), scratch
    (3)". labels: one for each record, of which "" is written as none; of more than NAMED (8)
    labels the others are only counted."""
    counts = Counter(label or "none" for label in labels).most_common()
    few = ", ".join(f"{label} ({count:,})" for label, count in counts[:NAMED])
    return few + (f" and {len(counts) - NAMED} more" if len(counts) > NAMED else "")


def to_fit(source: ImageSource, label: str | None, normal: Sequence[str]) -> ImageSource:
    """The pictures to fit a model on: those in train/, if there are such and others in test/ or the
    like, and of these the ones whose folder (in train/ or the like the one below) is one of
    `normal`, if it is not empty. label: the user's option, None if it is left out. Notices say
    which are taken. A source without files, such as an array, is returned as it is.

    ParamError if label is neither None nor "folder", if none of the pictures has a label in
    `normal`, and if the source has no files and `normal` is not empty.
    """
    if label not in (None, FOLDER):
        raise ParamError(
            f"{option('--label')} {label}: pictures have no columns; they are labelled by their "
            f"folders: {option('--label')} {FOLDER} {option('--normal')} good"
        )
    if not isinstance(source, PictureFiles):
        if normal:
            raise ParamError(f"{source.name}: no folders, by which pictures are labelled")
        return source
    # first the pictures in train/, then those of the labels among them
    in_part = _only_in_parts(source, TO_FIT, "fitted")
    labels = labels_of(in_part.names)
    if normal:
        is_normal = [label_of_picture in normal for label_of_picture in labels]
        if not any(is_normal):
            raise ParamError(
                f"no picture of {source.name} is in a folder {' or '.join(normal)}; there are "
                f"{counted(labels)}"
            )
        count = f"{sum(is_normal):,} of {len(is_normal):,} pictures"
        folders_in_words = " and ".join(f"{name}/" for name in normal)
        notices.say(source.name, f"fitted on {count}, those in {folders_in_words}")
        return in_part.selected(is_normal)
    # without options all are taken; a notice says which folder looks like ordinary pictures
    ordinary = [name for name in dict.fromkeys(labels) if name.lower() in ORDINARY]
    if label is None and ordinary and len(set(labels)) > 1:
        remedy = f"{option('--normal')} {ordinary[0]} fits those alone"
        notices.say(source.name, f"folders {counted(labels)}: all are fitted; {remedy}")
    return in_part


def to_judge(source: ImageSource) -> ImageSource:
    """The pictures to judge a model by: those in test/, if there are such and others in train/ or
    the like, which a notice says; else all, as the source itself."""
    if isinstance(source, PictureFiles):
        return _only_in_parts(source, TO_JUDGE, "judged")
    return source


def say_parts(source: ImageSource) -> None:
    """Say in a notice if the pictures of a source, all of which are judged, include those of
    train/, which models are usually fitted on, beside those of test/ or the like; of a source
    without files nothing."""
    if not isinstance(source, PictureFiles):
        return
    counts_of_parts = Counter(name.partition("/")[0] for name in source.names if _part_of(name))
    fitted = [folder for folder in counts_of_parts if folder.lower() in TO_FIT]
    others = [folder for folder in counts_of_parts if folder.lower() not in TO_FIT]
    if not fitted or not others:
        return
    each = [f"{folder}/ ({counts_of_parts[folder]:,})" for folder in (*fitted, *others)]
    counts = " and ".join(each)
    folder_alone = f"{source.name.rstrip('/')}/{others[0]}"
    notices.say(
        source.name, f"{counts} are all judged; {folder_alone} alone is those of {others[0]}/"
    )


def _only_in_parts(source: PictureFiles, parts: Sequence[str], verb: str) -> PictureFiles:
    """A source of the pictures whose first folder is one of `parts`, in lower case, and a notice
    that says so; the source itself if there are none in these, or none in another of PARTS. verb:
    what is done with them, for the notice."""
    is_in_part = [_part_of(name) in parts for name in source.names]
    # without pictures in another part nothing is to be left out
    if not any(is_in_part) or not any(_part_of(name) not in ("", *parts) for name in source.names):
        return source
    name = next(name for name, kept in zip(source.names, is_in_part, strict=True) if kept)
    folder = name.partition("/")[0]
    rest = len(is_in_part) - sum(is_in_part)
    notices.say(
        source.name, f"{folder}/ is {verb}: {sum(is_in_part):,} pictures, without {rest:,} others"
    )
    return source.selected(is_in_part)


def ordinary_in(name: str, labels: Sequence[str]) -> list[str]:
    """Find the labels that usually name ordinary pictures, such as those in ORDINARY, in upper or
    lower case: each once, as they first appear. labels: one for each picture; name: of the source,
    for messages. ParamError if there is none."""
    ordinary = [label for label in dict.fromkeys(labels) if label.lower() in ORDINARY]
    if not ordinary:
        raise ParamError(
            f"{name}: no folder is called {', '.join(ORDINARY[:3])} or the like; say which hold "
            f"ordinary pictures with {option('--normal')}; there are {counted(labels)}"
        )
    return ordinary
