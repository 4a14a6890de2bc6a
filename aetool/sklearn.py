"""AnomalyDetector: any of aetool's models as an estimator of scikit-learn, which is imported here
alone."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

try:
    from sklearn.base import (
        BaseEstimator,
        ClassNamePrefixFeaturesOutMixin,
        OutlierMixin,
        TransformerMixin,
    )
    from sklearn.utils import Tags, check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"aetool.sklearn needs scikit-learn: pip install 'aetool[sklearn]' ({error})"
    ) from None

from aetool import api
from aetool.arguments import brief
from aetool.errors import AetoolError

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int64]
AUTO = "auto"  # a contamination that is not known
# what is beyond the threshold of a sample, as scikit-learn has it, is some of it, however small
USUAL_PART = 0.01
MOST_CONTAMINATION = 0.5
MOST_SEED = 2**31


class EstimatorError(AetoolError, ValueError):
    """An AetoolError where scikit-learn expects a ValueError."""


class AnomalyDetector(
    ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin, BaseEstimator
):
    """Any model of aetool as an outlier detector of scikit-learn, and its code as a transformer.

    plugin: the name of an installed model. params: its parameters, such as {"latent": 8}.
    contamination: the part of the fitted rows that lie beyond the threshold, in (0, 0.5]; "auto"
    for the model's own threshold, beyond which about one ordinary record in 1,000 lies, and of few
    rows perhaps none. robust: anomalies are among the rows that are fitted. types: column to kind,
    which is number, category, date, text or skip. epochs, max_time: how long a network is trained,
    in passes over the rows and in seconds. random_state: seed of every random number. device: auto,
    cpu, cuda or cuda:<n>.

    A table of pandas, polars or Arrow is read as aetool.fit reads it: numbers, categories, dates
    and gaps are told apart. The columns of an array are numbers; NaN is a gap, and infinities are
    values.

    After a fit: model_, the aetool.Bundle; offset_, minus the threshold; n_features_in_, and
    feature_names_in_ where the columns have names. Errors are AetoolError and ValueError at once.
    """

    model_: api.Bundle
    offset_: float

    def __init__(
        self,
        plugin: str = "auto",
        *,
        params: Mapping[str, Any] | None = None,
        contamination: float | str = USUAL_PART,
        robust: bool = False,
        types: Mapping[str, str] | None = None,
        epochs: int | None = None,
        max_time: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
        device: str = "auto",
    ) -> None:
        """Keep the settings as they are; `fit` checks them."""
        self.plugin = plugin
        self.params = params
        self.contamination = contamination
        self.robust = robust
        self.types = types
        self.epochs = epochs
        self.max_time = max_time
        self.random_state = random_state
        self.device = device

    def fit(self, X: object, y: object = None) -> Self:
        """Fit the model, and set the threshold, on rows X: a table or an array, (rows, columns). y:
        ignored. Returns the estimator. EstimatorError, or scikit-learn's own ValueError, for
        settings that are not allowed and for rows that cannot be fitted."""
        part = self._contamination_as_number()
        if not isinstance(self.params, Mapping | None):
            raise EstimatorError(f"params must be a dictionary or None; got {brief(self.params)}")
        table, types = self._table(X, reset=True)
        try:
            self.model_ = api.fit(
                table,
                self.plugin,
                types=types | dict(self.types or {}),
                robust=self.robust,
                epochs=self.epochs,
                max_time=self.max_time,
                seed=self._seed(),
                device=self.device,
                **dict(self.params or {}),
            )
        except AetoolError as error:
            raise EstimatorError(str(error)) from error
        # as scikit-learn's mixin for names of features out asks for it
        self._n_features_out = self.model_.latent
        self.offset_ = -self.model_.threshold
        # so that this part of the fitted rows lies below it
        if part is not None:
            self.offset_ = float(np.quantile(self._minus_scores(table), part))
        return self

    def score_samples(self, X: object) -> Floats:
        """Minus the score of each record, (rows,) float64: the higher, the more usual it is. X:
        (rows, columns), with the columns that were fitted. NotFittedError before a fit;
        EstimatorError or ValueError for rows that cannot be scored."""
        check_is_fitted(self)
        table, _ = self._table(X, reset=False)
        return self._minus_scores(table)

    def decision_function(self, X: object) -> Floats:
        """How far each record is from the threshold, (rows,) float64: score_samples less offset_,
        negative for an anomaly, 0 or more for any other. X: (rows, columns), with the columns that
        were fitted. NotFittedError before a fit; EstimatorError or ValueError for rows that cannot
        be scored."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: object) -> Signs:
        """Whether each record is an anomaly, (rows,): -1 for an anomaly, 1 for any other, one at
        the threshold among them. X: (rows, columns), with the columns that were fitted.
        NotFittedError before a fit; EstimatorError or ValueError for rows that cannot be scored."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def transform(self, X: object) -> npt.NDArray[np.float32]:
        """The code of each record, (rows, latent) float32, by the model's encoder. X: (rows,
        columns). NotFittedError before a fit; EstimatorError for a model that has no code, and, or
        ValueError, for rows that cannot be encoded."""
        check_is_fitted(self)
        table, _ = self._table(X, reset=False)
        if not self.model_.latent:
            raise EstimatorError(f"{self.plugin} has no code: take another plugin to transform by")
        try:
            codes = self.model_.encode(table, self.device)
        except AetoolError as error:
            raise EstimatorError(str(error)) from error
        return np.asarray(codes, dtype=np.float32)

    def __sklearn_tags__(self) -> Tags:
        """The properties of the estimator as scikit-learn asks for them: gaps are allowed, codes
        are float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _minus_scores(self, table: object) -> Floats:
        """Minus the scores of a table as aetool takes it, (rows,) float64; EstimatorError if it
        cannot be scored."""
        try:
            scores = self.model_.score(table, self.device)
        except AetoolError as error:
            raise EstimatorError(str(error)) from error
        return -np.asarray(scores, dtype=np.float64)

    def _contamination_as_number(self) -> float | None:
        """The contamination as a number; None for "auto". EstimatorError for any other value."""
        part = self.contamination
        if isinstance(part, str) and part == AUTO:
            return None
        if isinstance(part, Real) and 0 < part <= MOST_CONTAMINATION:
            return float(part)
        raise EstimatorError(
            f"contamination must be {AUTO!r}, or in (0, {MOST_CONTAMINATION}]; got {brief(part)}"
        )

    def _seed(self) -> int:
        """The seed that random_state stands for: itself, or a number drawn from it; of None from
        numpy's global generator. ValueError for what is neither a whole number, a RandomState nor
        None."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(MOST_SEED))

    def _table(self, X: object, reset: bool) -> tuple[object, dict[str, str]]:
        """Convert X to what aetool takes: (the data; for each column of an array the kind "number",
        nothing for a table). reset: whether X is being fitted; if not, its columns must be those
        that were. EstimatorError for a table without rows or with two columns of one name;
        ValueError for what scikit-learn refuses."""
        if _has_columns(X):
            if isinstance(X, pd.DataFrame) and not X.columns.is_unique:
                twice = X.columns[X.columns.duplicated()][0]
                raise EstimatorError(f"two columns have the name {twice!r}; name them apart")
            validate_data(self, X, skip_check_array=True, reset=reset)
            if not len(X):  # type: ignore[arg-type]
                raise EstimatorError("0 sample(s) were given; at least one is needed")
            if not isinstance(X, pd.DataFrame):
                return X, {}
            # columns without names of their own are called by their places
            return X.set_axis(self._names(), axis=1).reset_index(drop=True), {}
        numbers = validate_data(self, X, reset=reset, ensure_all_finite=False)
        names = self._names()
        return pd.DataFrame(numbers, columns=names), dict.fromkeys(names, "number")

    def _names(self) -> list[str]:
        """The names of the columns as texts; x0, x1 ... where they have none. Only once `_table`
        has seen the data."""
        named = getattr(self, "feature_names_in_", None)
        if named is None:
            return [f"x{place}" for place in range(self.n_features_in_)]
        return [str(name) for name in named]


def _has_columns(X: object) -> bool:
    """Whether X is a table with named columns, each of its own type: one of pandas, polars or
    Arrow."""
    if isinstance(X, pd.DataFrame) or hasattr(X, "__dataframe__"):
        return True
    # a Series offers Arrow's protocol, too, and is no table
    return hasattr(X, "__arrow_c_stream__") and hasattr(X, "columns")
