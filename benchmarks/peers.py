"""The detectors of PyOD that people use, with their defaults, on standardised features."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

import numpy as np

# Module of each class; the slow train networks. The dense ones compare all rows with all.
FAST = {"KNN": "knn", "LOF": "lof", "IForest": "iforest", "GMM": "gmm", "MCD": "mcd", "PCA": "pca",
        "HBOS": "hbos", "ECOD": "ecod", "COPOD": "copod"}  # fmt: skip
DENSE = {"KDE": "kde", "OCSVM": "ocsvm"}
SLOW = {
    "AutoEncoder": "auto_encoder",
    "LUNAR": "lunar",
    "VAE": "vae",
    "DeepSVDD": "deep_svdd",
}
# the same with a number of their own: neighbours, components
SET = {"1NN": ("KNN", {"n_neighbors": 1}), "GMM4": ("GMM", {"n_components": 4})}
MODULES = {**FAST, **DENSE, **SLOW, **{name: FAST[base] for name, (base, _) in SET.items()}}
MOST_DENSE = 6_000  # rows
MOST_MCD = 500  # features


def takes(name: str, rows: int, features: int) -> bool:
    """Whether a detector ends within minutes on data of this size."""
    if name == "MCD" and features > MOST_MCD:
        return False
    return name not in DENSE or rows <= MOST_DENSE


def installed() -> bool:
    """Whether PyOD is installed, which pip install 'aetool[bench]' does."""
    return importlib.util.find_spec("pyod") is not None


def make(name: str, features: int, seed: int) -> Any:
    """An unfitted detector of PyOD, seeded where it takes a seed."""
    base, settings = SET.get(name, (name, {}))
    made = getattr(importlib.import_module(f"pyod.models.{MODULES[name]}"), base)
    given: dict[str, Any] = {"n_features": features} if name == "DeepSVDD" else dict(settings)
    try:
        return made(random_state=seed, **given)
    except TypeError:
        return made(**given)


class Peer:
    """A detector of PyOD behind standardisation by the rows that it is fitted on."""

    def __init__(self, name: str, fit: np.ndarray, seed: int) -> None:
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
        import torch

        torch.manual_seed(seed)
        np.random.seed(seed)
        self.mean, spread = fit.mean(axis=0), fit.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.fitted = make(name, fit.shape[1], seed)
        self.fitted.fit((fit - self.mean) / self.spread)

    def score(self, X: np.ndarray) -> np.ndarray:
        """(rows,) larger: more anomalous; not finite ones (of overflow) are the largest."""
        found = self.fitted.decision_function((X - self.mean) / self.spread)
        return np.nan_to_num(np.asarray(found, dtype=float), nan=np.finfo(float).max)

    def own(self) -> np.ndarray:
        """Scores of the rows it was fitted on, as PyOD gives them."""
        found = np.asarray(self.fitted.decision_scores_, dtype=float)
        return np.nan_to_num(found, nan=np.finfo(float).max)
