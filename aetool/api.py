"""The Python face: fit, load and open, and bundles with methods."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from aetool import bundle as bundles
from aetool import operations
from aetool.codec.archive import Archive
from aetool.operations import CompressOptions, FitOptions

if TYPE_CHECKING:
    import pandas as pd


class Bundle(bundles.Bundle):
    """A fitted model; see aetool.fit and aetool.load, which make one."""

    def detect(self, data: Any, **options: Any) -> pd.DataFrame:
        """Every record (row, score, p, why, anomaly), on the caller's own index.

        data: a DataFrame, or a path. options: as aetool.operations.detect; all_rows=False gives
        the anomalies alone.
        """
        return operations.detect(data, self, **{"all_rows": True, **options}).frame()

    def calibrate(self, data: Any = None, fpr: float | None = None) -> Bundle:
        """This model with a threshold that flags this part of ordinary records, counted on data, a
        DataFrame or a path of ordinary records that were not fitted; or on those held out."""
        return _dressed(operations.calibrated(self, data, fpr))

    def score(self, data: Any, device: str = "auto") -> Any:
        """(rows,) float64: the score of each record, in `unit`; larger is more anomalous."""
        return operations.score(data, self, device)

    def encode(self, data: Any, device: str = "auto") -> Any:
        """(rows, latent) float32: the code of each record."""
        return operations.encode(data, self, device)

    def decode(self, codes: Any, device: str = "auto") -> Any:
        """The records of codes (rows, latent): a DataFrame, or pictures (rows, C, H, W) uint8."""
        return operations.decode(codes, self, device)

    def denoise(self, data: Any, path: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
        """Write the restored records of data; options: as DenoiseOptions. Returns figures."""
        return operations.denoise(data, path, self, operations.DenoiseOptions(**options))

    def sample(self, count: int | None = None, **options: Any) -> Any:
        """New records, or with like=data records near those: a DataFrame, or pictures (rows, C, H,
        W) uint8. options: as SampleOptions."""
        return operations.sample(self, operations.SampleOptions(count, **options))

    def similar(self, query: Any, data: Any, **options: Any) -> pd.DataFrame:
        """The records of data nearest to each record of query: query, rank and row (from 1) and
        distance. data: a DataFrame, a path, or an archive that stores codes. options: as
        SearchOptions."""
        chosen = operations.SearchOptions(**options)
        return operations.similar(query, data, self, chosen).frame()

    def compress(self, data: Any, path: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
        """Write an archive of data by this model's code, or an exact or bounded one where that is
        smaller at no more error; options: as CompressOptions (lossy_only=True keeps the code, and
        lossy=False is lossless). Returns its figures."""
        chosen = CompressOptions(**{"lossy": True, **options})
        return operations.compress(data, path, self, chosen)


def _dressed(plain: bundles.Bundle) -> Bundle:
    return Bundle(**{f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)})


def fit(data: Any, plugin: str | None = None, **params: Any) -> Bundle:
    """Fit a model on a DataFrame, a path, or a list of paths.

    params: parameters of the model (latent=8, ...) and fields of FitOptions (label, normal, drop,
    seed, ...), told apart by name. Raises AetoolError.
    """
    known = {f.name for f in dataclasses.fields(FitOptions)} - {"plugin", "params"}
    options = {k: v for k, v in params.items() if k in known}
    rest = {k: v for k, v in params.items() if k not in known}
    return _dressed(operations.fit(data, FitOptions(plugin=plugin, params=rest, **options)))


def load(path: str | os.PathLike[str]) -> Bundle:
    """The bundle in a .aem file. Runs no code from it; raises BundleError if it is damaged."""
    return _dressed(bundles.load(path))


def open_archive(
    path: str | os.PathLike[str], model: bundles.Bundle | None = None, device: str = "auto"
) -> Archive:
    """An archive, verified, for archive[a:b] and archive.to_pandas(); close it, or use `with`."""
    return Archive(path, model, device)
