"""Sources as a model's encoder takes their records, for archives of its code."""

from __future__ import annotations

import shlex

from aetool.bundle import Bundle
from aetool.data import sources
from aetool.data.images import FolderSource, ImageSource, PictureFiles
from aetool.data.pictures.decoding import Sight
from aetool.data.pictures.framed import FramedSource
from aetool.data.table_source import TableSource
from aetool.errors import ParamError
from aetool.scoring.inputs import seen_by
from aetool.spelling import in_shell, option


def as_the_model_takes_it(
    source: sources.Source,
    model: Bundle,
    in_any_case: bool = False,
) -> TableSource | FramedSource:
    """Wrap a source so that its records come in the form that the model's encoder takes, such as
    pictures framed to its size. ParamError for a model without a code, for one whose code is the
    same for all records (not if in_any_case), for one picture by itself, and for pictures that the
    model would crop or resize; DataError for data of another kind than the model's, or a picture
    that cannot be read."""
    source = _seen_by_model(source, model)
    if "decoder.onnx" not in model.graphs:
        raise ParamError(
            f"{model.plugin} has no code: {option('--lossy')} needs a model with an encoder, as "
            f"{_a_fit_with_code(source)} writes"
        )
    if not in_any_case:
        _refuse_dead_code(model)
    # of pictures the model sees those that its framing has brought to one form
    assert isinstance(source, TableSource | FramedSource)
    return source


def _a_fit_with_code(source: sources.Source) -> str:
    """What to type, or to call, to have a model of a source that has a code."""
    if in_shell():
        return f"aetool fit {shlex.quote(source.name)} -p pca -o pca.aem"
    return 'aetool.fit(data, plugin="pca")'


def _seen_by_model(source: sources.Source, model: Bundle) -> sources.Source:
    """The source as the model sees it; ParamError for one picture by itself, or pictures that the
    model would crop, resize or see otherwise than plainly, as its code could not restore them;
    DataError for data of another kind than the model's, or a picture that cannot be read."""
    # strict: DataError for a picture that cannot be read, which would be missing in the archive
    source_seen = seen_by(source, model, strict=True)
    if isinstance(source, PictureFiles) and not isinstance(source, FolderSource):
        raise ParamError(
            f"{source.name}: one picture: a model's code is of a folder of pictures; give its "
            "folder, or store this one exactly"
        )
    if isinstance(source, ImageSource):
        _, height, width = model.view.shape
        sizes = {(sight.width, sight.height) for sight in source.sights if isinstance(sight, Sight)}
        # a framing that changes more than the shape, or pictures of another size than the model's
        if (model.framing and not model.framing.is_plain) or sizes - {(width, height)}:
            raise ParamError(
                f"{source.name}: {option('--lossy')} stores what the model sees, pictures "
                f"{model.view.told() or f'of {width} x {height}'}, which these are not as they "
                f"are; leave {option('--lossy')} out, or store pictures of {width} x {height}"
            )
    return source_seen


def _refuse_dead_code(model: Bundle) -> None:
    """Raise ParamError if the model's fit found that its code is the same for all records."""
    code = model.facts.get("code")
    if isinstance(code, dict) and code.get("dead"):
        active = f"{code.get('active', 0)} of {code.get('units', model.latent)} units active"
        raise ParamError(
            f"{model.name or model.plugin}: its code is dead ({active}), every record would be "
            f"restored alike; fit it for longer ({option('--epochs')}) or with another "
            f"plugin ({option('-p')}), or go on "
            f"with {option('-f')}"
        )
