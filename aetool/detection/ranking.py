"""How well scores tell anomalies from ordinary records, whatever the threshold: two areas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aetool.model import Float

Truth = npt.NDArray[np.bool_]  # (records,): which are anomalies


def auroc(scores: Float, truth: Truth) -> float:
    """The chance that an anomaly scores higher than a normal record, ties counting half (Mann &
    Whitney). scores: (records,); truth: (records,), True for anomalies. NaN unless both kinds are
    there."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    # equal scores share the mean of the ranks, from 1, that they take together
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    ranks = mean_ranks[inverse]
    anomalies = int(truth.sum())
    normals = len(truth) - anomalies
    rank_sum = ranks[truth].sum()
    least_sum = anomalies * (anomalies + 1) / 2  # where all anomalies score lowest
    # of all pairs of an anomaly and a normal record, how many are in order
    pairs_in_order = rank_sum - least_sum
    return float(pairs_in_order / (anomalies * normals))


def average_precision(scores: Float, truth: Truth) -> float:
    """The average precision: over all thresholds, from the highest score, (records,), down, the sum
    of the recall that is gained times the precision; equal scores are one threshold. truth:
    (records,), True for anomalies, of which there must be one."""
    order = np.argsort(-scores, kind="stable")
    # a threshold lies only where the next score is lower, so equal scores are taken together
    steps = np.flatnonzero(np.diff(scores[order]))
    last = len(scores) - 1
    thresholds = np.append(steps, last)
    hits_so_far = np.cumsum(truth[order])
    hits = hits_so_far[thresholds]
    # above the highest score nothing is found yet
    hits_gained = np.diff(hits, prepend=0)
    recall_gained = hits_gained / truth.sum()
    flagged = thresholds + 1
    precision = hits / flagged
    return float((recall_gained * precision).sum())
