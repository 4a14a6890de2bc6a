"""Gaussians of what pixels look like: how unexpected each pixel is, wherever it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aetool.closed_form import Builder, Value
from aetool.model import Float, Int

KERNELS = 16  # Gaussians, at most
FEWEST_PIXELS = 50  # for each Gaussian
MEANS_ROUNDS, ROUNDS = 4, 12  # of k-means, and of expectation and maximisation after it
LEAST_COUNT = 1e-3  # pixels that a kernel has at least
LEAST_VARIANCE = 1e-6  # of descriptors: that of levels rounded to whole ones
WIDER = 0.002  # added to the variances of each Gaussian, of descriptors made white
MOST_NATS = 60.0  # a pixel above it is no more unexpected


@dataclass(frozen=True, eq=False)
class Density:
    """A mixture of Gaussians (kernels), by which descriptors of pixels cost what they are
    unexpected.

    axes: (kernels, n, n): of the pixels of a kernel, with descriptors x, (x - mean) @ axes has the
    covariance I. means: (kernels, n); nats: (kernels,), what a pixel at the mean of a kernel costs:
    -log of the kernel's share of the pixels, plus half the log determinant of its covariance, of
    descriptors made white and without n / 2 log(2 pi).
    """

    axes: Float
    means: Float
    nats: Float

    @classmethod
    def of(cls, pixels: Float) -> Density:
        """Fit the mixture to pixels, (pixels, n), one at least, by expectation and maximisation
        from k-means: one Gaussian for every 50 pixels, from 1 to 16."""
        middle = pixels.mean(axis=0)
        covariance = np.cov(pixels - middle, rowvar=False, bias=True)
        variance, turns = np.linalg.eigh(covariance.reshape(len(middle), -1))
        deviation = np.sqrt(np.maximum(variance, LEAST_VARIANCE))
        whitening = turns / deviation
        whitened = (pixels - middle) @ whitening
        enough = len(pixels) // FEWEST_PIXELS
        kernels = max(1, min(KERNELS, enough))
        belongs = _k_means(whitened, kernels)
        mixture = cls._fitted_to_shares(whitened, belongs)
        for _ in range(ROUNDS - 1):
            # the cheapest is taken out, so that the powers of a far pixel are not all 0
            costs = mixture.costs(whitened)
            cheapest = costs.min(axis=1, keepdims=True)
            belongs = np.exp(cheapest - costs)
            belongs /= belongs.sum(axis=1, keepdims=True)
            mixture = cls._fitted_to_shares(whitened, belongs)
        # whitened descriptors are but a step on the way: the Gaussians are of pixels
        back = np.linalg.inv(whitening)
        means = mixture.means @ back + middle
        axes = whitening @ mixture.axes
        return cls(axes, means, mixture.nats)

    @classmethod
    def _fitted_to_shares(
        cls,
        whitened: Float,
        belongs: Float,
    ) -> Density:
        """The likeliest mixture, given what share each pixel has in each kernel (the maximisation
        step). belongs: (pixels, kernels), these shares, 0 .. 1, which add up to 1 for each pixel.
        whitened: (pixels, n), their descriptors, with a covariance of nearly I. Variances are
        widened by WIDER (0.002)."""
        # no kernel is without a pixel
        counts = belongs.sum(axis=0) + LEAST_COUNT
        parts = counts / counts.sum()
        means = belongs.T @ whitened
        means /= counts[:, None]
        wider = WIDER * np.eye(whitened.shape[1])
        axes_of_kernels = []
        nats_of_kernels = []
        for kernel, count in enumerate(counts):
            centred = whitened - means[kernel]
            weighed = centred * belongs[:, [kernel]]
            covariance = weighed.T @ centred
            covariance = covariance / count + wider
            variance, turns = np.linalg.eigh(covariance)
            axes = turns / np.sqrt(variance)
            volume = float(np.log(variance).sum())
            nats = 0.5 * volume - math.log(parts[kernel])
            axes_of_kernels.append(axes)
            nats_of_kernels.append(nats)
        return cls(
            np.stack(axes_of_kernels),
            means,
            np.array(nats_of_kernels),
        )

    def costs(self, pixels: Float) -> Float:
        """(pixels, kernels), in nats: what each pixel, (pixels, n), costs by each kernel alone:
        nats and half the squared distance from its mean."""
        costs_of_kernels = []
        kernels = zip(
            self.axes,
            self.means,
            self.nats,
            strict=True,
        )
        for axes, mean, nats in kernels:
            whitened = (pixels - mean) @ axes
            square = (whitened**2).sum(axis=1)
            costs_of_kernels.append(nats + 0.5 * square)
        return np.stack(costs_of_kernels, axis=1)

    def write(self, g: Builder, descriptors: Value) -> Value:
        """(batch, 1, height, width): how unexpected each pixel is, in nats, at most MOST_NATS (60);
        a narrow kernel may make it less than 0. descriptors: (batch, n, height, width)."""
        kernels, width, _ = self.axes.shape
        # a filter of one pixel for each axis of each kernel
        axes = self.axes.transpose(0, 2, 1)
        filters = axes.reshape(-1, width, 1, 1)
        means = np.einsum(
            "kn,knm->km",
            self.means,
            self.axes,
        )
        whitened = g.op(
            "Conv",
            descriptors,
            filters,
            -means.ravel(),
        )
        # and one that adds up the axes of each kernel
        kernel_of_axis = np.repeat(np.eye(kernels), width, axis=1)
        halves = -0.5 * kernel_of_axis[:, :, None, None]
        log_likelihoods = g.op(
            "Conv",
            whitened * whitened,
            halves,
            -self.nats,
        )
        # the largest is taken out before powers of e, which would all be 0 for a far pixel
        channels = g.const([1], np.int64)
        highest = g.op(
            "ReduceMax",
            log_likelihoods,
            channels,
            keepdims=1,
        )
        powers = g.exp(log_likelihoods - highest)
        every = np.ones((1, kernels, 1, 1))
        total = g.op("Conv", powers, every)
        likelihood = highest + g.log(total)
        return g.minimum(-likelihood, MOST_NATS)


def _k_means(pixels: Float, count: int) -> Float:
    """Group pixels, (pixels, n), by k-means: (pixels, count), 1 for the group that a pixel belongs
    to, else 0. count: of groups, at most as many as pixels."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(
        len(pixels),
        count,
        replace=False,
    )
    means = pixels[drawn]
    for _ in range(MEANS_ROUNDS):
        nearest = _nearest_mean(pixels, means)
        for group in range(count):
            members = pixels[nearest == group]
            # a group that nothing is near to stays where it is
            if len(members):
                means[group] = members.mean(axis=0)
    belongs = np.eye(count)
    nearest = _nearest_mean(pixels, means)
    return np.asarray(belongs[nearest])


def _nearest_mean(pixels: Float, means: Float) -> Int:
    """(pixels,): the index of the mean among means, (means, n), that is nearest to each of pixels,
    (pixels, n)."""
    lengths = (means**2).sum(axis=1)
    square = lengths - 2 * pixels @ means.T
    return np.asarray(square.argmin(axis=1))
