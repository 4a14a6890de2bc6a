"""A fitted model with the methods that use its code: encode, decode, sample, similar, compress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from aetool import bundle as bundles
from aetool import operations
from aetool.api.archiving import compress
from aetool.api.conversion import (
    Data,
    Figures,
    Path,
    data_of,
    options_of,
    text_options,
)
from aetool.api.doors import door
from aetool.arguments import check_path
from aetool.codec import planning
from aetool.engine import Chosen
from aetool.model import Records

if TYPE_CHECKING:
    import pandas as pd


class CodingModel(bundles.Bundle):
    """A fitted model that encodes and restores records: the half of aetool.Bundle for codes."""

    @door
    def encode(
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
    ) -> Records:
        """The code of each record, (rows, latent) float32, by the model's encoder, in the order of
        the data; a picture that cannot be read has none.

        data: a path, a DataFrame, or whatever else holds a table or pictures. header to
        on_bad_lines: how a path's text is written, as in aetool.fit; None: told from the text.
        executor: what computes the codes, with the same result, as in aetool.detect; None: this
        process. device: where the encoder runs: auto, cpu, cuda or cuda:<n>. AetoolError for a
        model without an encoder and for data that it does not take.
        """
        return operations.encode(
            data_of("encode", data, text_options(locals())), self, device, executor
        )

    @door
    def decode(
        self,
        codes: npt.ArrayLike,
        device: str = "auto",
        condition: Data = None,
    ) -> pd.DataFrame | Records:
        """The records that the model's decoder makes of codes: a DataFrame of the table's columns,
        or pictures (rows, C, H, W) uint8.

        codes: (rows, latent) numbers, as `encode` returns them. condition: a DataFrame of as many
        rows, or a path, with the columns that the model was fitted with as conditions; such a model
        needs it, any other does not use it. Columns that are in no code, such as dates, are None
        throughout, unless condition tells them; a cell of it that is not of its column's kind
        counts as a gap. AetoolError for a model without a decoder, for codes of another shape, and
        for a condition that is missing, lacks a column or has another number of rows. device: where
        the decoder runs: auto, cpu, cuda or cuda:<n>.
        """
        return operations.decode(codes, self, device, condition)

    @door
    def denoise(
        self,
        data: Data,
        path: Path,
        *,
        fill_missing: bool = False,
        region: tuple[int, int, int, int] | None = None,
        clean: Data = None,
        force: bool = False,
        device: str = "auto",
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
    ) -> Figures:
        """Write the records of data to path as this model restores them, and return figures by
        name: rows; with fill_missing filled, how many values were missing; with clean mse_before
        and mse_after, the mean squared errors (in squared standard deviations, of pictures in
        squared grey levels), and psnr_gain_db, unless one of these errors is 0.

        fill_missing: change nothing but gaps: missing cells of tables, and of pictures the region
        (left, top, width, height, in pixels), which is needed there and refused for tables. clean:
        the same records undamaged, against which the error before and after is measured. force:
        replace a file that is there. device: where the model runs: auto, cpu, cuda or cuda:<n>.
        header to on_bad_lines: how the text of data and clean is written, where they are paths, as
        in aetool.fit; None: told from the text. AetoolError for a model without a decoder, for a
        file at path, unless force, and for data that the model does not take.
        """
        # before any name but those of the arguments is set
        arguments = dict(locals())
        options = options_of(arguments, operations.DenoiseOptions)
        data = data_of("denoise", data, text_options(arguments))
        check_path("denoise", "path", path)
        return operations.denoise(data, path, self, operations.DenoiseOptions(**options))

    @door
    def sample(
        self,
        count: int | None = None,
        *,
        like: Data = None,
        spread: float | None = None,
        grid: bool = False,
        seed: int = 0,
        prior: bool = False,
        condition: Mapping[str, str] | None = None,
        device: str = "auto",
    ) -> pd.DataFrame | Records:
        """Draw new records from what the model has learned, or with like=data records near those: a
        DataFrame, or pictures (rows, C, H, W) uint8.

        count: how many in all [64]; with like, how many near each of its records [1]. spread: how
        far from those, from 0 (the same code) to 1 (anywhere) [0.25]; without like it is refused.
        grid: decode codes on a regular grid over a plane of the code instead of random ones; the
        DataFrame then begins with z_across and z_up, the place on that plane. It cannot be combined
        with like. seed: of every random number. prior: draw codes from N(0, I), which a variational
        model is trained to have. condition: for a model with conditions, values of such columns, as
        texts by name [usual ones, drawn at random]. AetoolError for options out of range and for a
        model that cannot sample.
        """
        options = options_of(locals(), operations.SampleOptions)
        options["condition"] = {} if condition is None else condition
        return operations.sample(self, operations.SampleOptions(**options))

    @door
    def similar(
        self,
        query: Data,
        data: Data,
        k: int = 10,
        *,
        rows: Sequence[int] = (),
        binary: bool = False,
        columns: Sequence[str] = (),
        device: str = "auto",
        # how the text of a path is written
        header: bool | None = None,
        delimiter: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        skip_rows: int | None = None,
        comment: str | None = None,
        on_bad_lines: str | None = None,
    ) -> pd.DataFrame:
        """Find the k records of data whose codes are nearest to that of each record of query; all
        records, if data have fewer than k. Returns a DataFrame with a row for each pair of a query
        and a neighbour, the pairs of a query together, nearest first, and the columns query, rank
        and row (all from 1) and distance: Euclidean, and of discrete or binary codes the number of
        entries that differ; of pictures with names also picture.

        data: a DataFrame, a path, or an archive that stores codes. rows: which records of query to
        look for, from 1; () means all. binary: compare binary codes, by the number of bits that
        differ. columns: of data, whose values become columns beside each neighbour. device: where
        the encoder runs: auto, cpu, cuda or cuda:<n>. header to on_bad_lines: how the text of query
        and data is written, where they are paths, as in aetool.fit; None: told from the text.
        AetoolError for k below 1, a row that is not there, and data without records.
        """
        # before any name but those of the arguments is set
        arguments = dict(locals())
        options = options_of(arguments, operations.SearchOptions)
        query = data_of("similar", query, text_options(arguments))
        data = data_of("similar", data, text_options(arguments))
        search_options = operations.SearchOptions(**options)
        return operations.similar(query, data, self, search_options).frame()

    @door
    def compress(
        self,
        data: Data,
        path: Path | None = None,
        *,
        # what may be lost
        lossy: bool = False,
        lossy_only: bool = False,
        latent: int | None = None,
        target: float | None = None,
        max_error: str | float | Mapping[str, str | float] | None = None,
        decimal: str | None = None,
        # how it is stored
        keep_files: bool = False,
        effort: str | planning.Effort = "default",
        embed: bool | None = None,
        flag: int | None = None,
        force: bool = False,
        device: str = "auto",
        executor: Chosen = None,
        shard: str | None = None,
        parts: bool = False,
        # the goals, of which at most one is given
        rmse: float | str | None = None,
        target_psnr: float | None = None,
        budget: int | str | None = None,
        bytes_per_picture: float | None = None,
    ) -> Figures:
        """Write an archive of data: lossless, made smaller by what this model knows of them, or
        with lossy=True of this model's codes; returns its figures by name.

        The arguments mean what they mean in aetool.compress. AetoolError for arguments that exclude
        each other, for data that cannot be read, and for a file at path, unless force.
        """
        return compress(
            data,
            path,
            self,
            lossy=lossy,
            lossy_only=lossy_only,
            latent=latent,
            target=target,
            max_error=max_error,
            decimal=decimal,
            keep_files=keep_files,
            effort=effort,
            embed=embed,
            flag=flag,
            force=force,
            device=device,
            executor=executor,
            shard=shard,
            parts=parts,
            rmse=rmse,
            target_psnr=target_psnr,
            budget=budget,
            bytes_per_picture=bytes_per_picture,
        )
