"""A fitted model with the methods that judge records: detect, report, drift, explain, evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aetool import bundle as bundles
from aetool import operations
from aetool.api.conversion import (
    Data,
    Frame,
    Part,
    Path,
    Texts,
    data_of,
    listed,
    options_of,
    text_options,
    with_parts,
)
from aetool.api.detecting import detect, drift
from aetool.api.doors import door
from aetool.arguments import check_path, checked_options
from aetool.engine import Chosen
from aetool.model import Float

if TYPE_CHECKING:
    import pandas as pd

    from aetool.detection.shifts import Comparison


class JudgingModel(bundles.Bundle):
    """A fitted model that scores records and says why: the half of aetool.Bundle for anomalies."""

    @door
    def detect(
        self,
        data: Data,
        *,
        # what is flagged, by one of these
        threshold: float | None = None,
        fpr: Part | None = None,
        fdr: Part | None = None,
        contamination: Part | None = None,
        top: int | None = None,
        calibration: Data = None,
        # what is returned and drawn
        all_rows: bool | None = None,
        append: Sequence[str] | None = None,
        columns: Sequence[str] = (),
        heatmap: Path | None = None,
        sheet: Path | None = None,
        force: bool = False,
        device: str = "auto",
        executor: Chosen = None,
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
    ) -> Frame:
        """Score every record of data with this model and flag anomalies: a DataFrame with a row for
        each record, on the data's own index, and the columns row (from 1), score, p, why and
        anomaly, of pictures and archives a few more; of pandas, or of polars where the data are.

        The arguments mean what they mean in aetool.detect: of threshold to top one at most says
        what is flagged, None being what is not asked for. AetoolError for arguments that exclude
        each other, and for data that the model does not take.
        """
        return detect(
            data,
            self,
            threshold=threshold,
            fpr=fpr,
            fdr=fdr,
            contamination=contamination,
            top=top,
            calibration=calibration,
            all_rows=all_rows,
            append=append,
            columns=columns,
            heatmap=heatmap,
            sheet=sheet,
            force=force,
            device=device,
            executor=executor,
            header=header,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            skip_rows=skip_rows,
            comment=comment,
            on_bad_lines=on_bad_lines,
        )

    @door
    def report(
        self,
        data: Data,
        path: Path,
        *,
        # what the page shows
        most: int = 200,
        label: str | None = None,
        normal: str | Sequence[str] = (),
        # what is flagged, by one of these
        threshold: float | None = None,
        fpr: Part | None = None,
        fdr: Part | None = None,
        contamination: Part | None = None,
        top: int | None = None,
        calibration: Data = None,
        device: str = "auto",
        force: bool = False,
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
    ) -> operations.Detection:
        """Score data with this model and write what it finds to path, as one HTML page that loads
        nothing else; returns the Detection, in which each record has its score, p, reasons and
        whether it is flagged.

        most: how many records the page shows at most, the highest scores first. label, normal: the
        column that says which records are anomalies, and its ordinary values; the page then has ROC
        and precision-recall curves; both or neither, and of pictures "folder" and names of folders.
        force: replace a page that is there. All other arguments mean what they mean in
        aetool.detect: of threshold to top one at most says what is flagged, calibration are
        ordinary records that the model has not seen. AetoolError for arguments that exclude each
        other, for data that the model does not take, and for a page at path, unless force.
        """
        # before any name but those of the arguments is set
        arguments = with_parts("report", dict(locals()))
        options = options_of(arguments, operations.report, "data", "path", "model", "fit")
        data = data_of("report", data, text_options(arguments))
        check_path("report", "path", path)
        options["normal"] = listed(normal)
        checked_values = checked_options("report", operations.report, options)
        return operations.report(data, path, self, **checked_values)

    @door
    def drift(
        self,
        new: Data,
        alpha: Part = 0.01,
        device: str = "auto",
        *,
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
    ) -> Comparison:
        """Compare new data with those that this model was fitted on: same, shifted, broken or
        unknown, and how they differ.

        alpha: how often data that are the same may be called shifted, 0.01 or "1%". device: where
        the model runs. header to on_bad_lines: how the text of a path is written, as in aetool.fit.
        The returned Comparison is that of aetool.drift: .word, .shifted and .to_json(). AetoolError
        for an alpha that is no share, and for data that cannot be read or are of another kind.
        """
        return drift(
            self,
            new,
            alpha,
            device,
            header=header,
            delimiter=delimiter,
            decimal=decimal,
            encoding=encoding,
            skip_rows=skip_rows,
            comment=comment,
            on_bad_lines=on_bad_lines,
        )

    @door
    def score(
        self,
        data: Data,
        device: str = "auto",
        *,
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
        executor: Chosen = None,
    ) -> Float:
        """Score each record of data: (rows,) float64, in `unit`; larger is more anomalous; NaN for
        a picture that cannot be read.

        data: a path, a DataFrame, or whatever else holds a table or pictures. header to
        on_bad_lines: how a path's text is written, as in aetool.fit; None: told from the text.
        executor: what computes the scores, with the same result, as in aetool.detect; None: this
        process. device: where the model runs: auto, cpu, cuda or cuda:<n>. DataError, an
        AetoolError, for data that the model does not take.
        """
        return operations.score(
            data_of("score", data, text_options(locals())), self, device, executor
        )

    @door
    def map(self, pictures: Data, device: str = "auto") -> Float | list[Float]:
        """Heat maps: where each picture is odd, (n, H, W) float64 for the n that can be read, in
        multiples of the pixel threshold. 0 is what a pixel ordinarily has; 1 is exceeded by about
        one in 1,000 pixels of ordinary pictures.

        Pictures of several sizes, in tiles, give a list of maps, (H, W) each; no picture gives [].
        pictures: as aetool.detect takes data. DataError for tables, and any other AetoolError for
        pictures that cannot be read.
        """
        return operations.maps_of(data_of("map", pictures, {}), self, device)

    @property
    def feature_names_in_(self) -> Texts:
        """The names of the columns of the table that was fitted, in their order, (columns,) of
        texts, those that models leave out among them. AttributeError for a model of pictures."""
        if self.schema is None:
            raise AttributeError("feature_names_in_: a model of pictures has no columns")
        return np.array([column.name for column in self.schema.columns], dtype=object)

    @door
    def explain(self, row: Data, device: str = "auto") -> pd.DataFrame:
        """Why a record has its score: a DataFrame with a row for each column, first those that
        detect would name as reasons, then the others by surprise.

        row: one record as a dictionary by column, a Series, or a table of one row; for a model that
        is given context, a table of the rows before it and the record last. The columns are column,
        found (the value), expected (by the model), surprise (bits above the column's usual, in
        `unit`) and named (whether detect names it of a record that is flagged); attrs of the
        DataFrame hold score, p, threshold and anomaly. DataError for pictures, for more than one
        row, and for a row that the model does not take. device: where the model runs, as in
        aetool.fit.
        """
        record = data_of("explain", operations.as_record(row), {})
        return operations.explain(record, self, device).frame()

    @door
    def evaluate(
        self,
        data: Data,
        label: str | None = None,
        normal: str | Sequence[str] = (),
        device: str = "auto",
        *,
        masks: Path | None = None,
        # what is flagged, by one of these
        threshold: float | None = None,
        fpr: Part | None = None,
        fdr: Part | None = None,
        contamination: Part | None = None,
        top: int | None = None,
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
        executor: Chosen = None,
    ) -> dict[str, float]:
        """Judge the score against labels: a dictionary of auroc, average_precision, and precision
        and recall of what is flagged, each from 0 to 1, the threshold, and how many are rows,
        anomalies and flagged; with masks also pixel_auroc, pro and box_hits of the heat maps, and
        how many are defective_pictures, defective_regions and, if any are, without_mask.

        label: the column of data that says what each record is, needed for tables; pictures are
        labelled by their folders. normal: the labels that mean an ordinary record [of pictures:
        good]. masks: a folder of pictures that mark what is wrong, for a model of pictures: for
        scratch/003.png the mask scratch/003_mask.png. threshold to top: what is flagged, by one of
        them at most, as in detect [what lies above the model's own threshold]. header to
        on_bad_lines: how the text of a path is written, as in aetool.fit; executor: what computes
        the scores, as in aetool.detect. AetoolError where labels are missing, or all are ordinary
        or none.
        """
        # before any name but those of the arguments is set
        arguments = with_parts("evaluate", dict(locals()))
        options = options_of(arguments, operations.evaluate, "data", "model", "fit")
        data = data_of("evaluate", data, text_options(arguments))
        if masks is not None:
            check_path("evaluate", "masks", masks)
        options["normal"] = listed(normal)
        checked_values = checked_options("evaluate", operations.evaluate, options)
        return operations.evaluate(data, self, **checked_values)
