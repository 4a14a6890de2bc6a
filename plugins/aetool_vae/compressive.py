"""The compressive autoencoder: trained for the bytes that codes of pictures take."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aetool.nn import AutoEncoder
from aetool_vae.code_prior import CodePrior
from aetool_vae.small_pictures import PictureDecoder, PictureEncoder, Sizes

UNITS = 24  # of a code
# the deviation of a uniform distribution is its width by this
EVEN = math.sqrt(12)
LEAST_VARIANCE = 1e-6  # of standardised pixels
BITS = 1 / math.log(2)  # of a nat


class Compressive(AutoEncoder):
    """A variational autoencoder of pictures whose posterior is uniform, as the rounding of an
    archive, and whose prior is learned, as the archive's coder: its loss is the distortion and the
    rate, |x - x_hat|^2 / (2 s^2) - log P(code) (Balle, Laparra & Simoncelli 2017, arXiv:1611.01704;
    Theis, Shi, Cunningham & Huszar 2017, arXiv:1703.00395).

    s is params.rmse deviations of the pixels; variance, a scalar, is the square of one, over all
    pixels. Codes are in steps, to which an archive rounds them. In training a code is moved by up
    to half a step, which is what rounding does to it, and has a gradient. parts is -log p(x | z) by
    pixel, and as what all share -log P(z), in nats.
    """

    encoder: PictureEncoder
    decoder: PictureDecoder
    variance: Tensor
    batch_size = 256

    def latent_size(self) -> int:
        """The size of the code: the parameter `latent`, or if that is 0 UNITS (24)."""
        return int(self.params.latent) or UNITS

    def build(self) -> None:
        """Make encoder, decoder and the prior of codes. self.spec must be of pictures."""
        assert self.spec.shape is not None
        sizes = Sizes(
            shape=self.spec.shape,
            latent=self.latent,
            width=self.width(),
            depth=self.params.depth,
        )
        self.encoder = PictureEncoder(sizes)
        self.decoder = PictureDecoder(sizes)
        self.code_prior = CodePrior(self.latent)
        # of all pixels together
        self.register_buffer("variance", torch.ones(()))

    @property
    def noise(self) -> Tensor:
        """The allowed squared error s^2 of a pixel, a scalar, in standardised pixels."""
        return self.params.rmse**2 * self.variance

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Set encoder, decoder and prior, in place, to PCA of pictures x, (batch, channels, height,
        width), and `variance` to that of their pixels, 1e-6 at least; with steps so long that the
        root mean square error of rounding a component is s, the root of `noise`."""
        variance = x.var(correction=0)
        self.variance.copy_(variance.clamp(min=LEAST_VARIANCE))
        step = EVEN * math.sqrt(float(self.noise))
        deviations = self.encoder.start(x, step)
        # as if its units were of deviation 1
        self.decoder.start(deviations)
        self.code_prior.start(deviations)

    def rounded(self, codes: Tensor, rng: torch.Generator) -> Tensor:
        """Round codes to whole steps; in training move them anywhere within half a step instead.
        Gradients pass as if neither were done. codes: (batch, latent), in steps; rng: draws the
        moves, on their device."""
        if not self.training:
            shifts = codes.round() - codes
            return codes + shifts.detach()
        shifts = torch.rand(codes.shape, generator=rng, device=codes.device)
        return codes + (shifts - 0.5)

    def loss(self, x: Tensor, rng: torch.Generator, seen: Tensor | None = None) -> Tensor:
        """The loss of each row, (batch,), in nats: distortion and rate of pictures x restored from
        the codes of `seen`, or if that is None of x, moved at random by rng within half a step in
        training, and else rounded; plus the cost of x under the likelihood less the same number, by
        which its scales learn and the loss stays as it is."""
        if seen is None:
            seen = x
        codes = self.encode(seen)
        codes = self.rounded(codes, rng)
        restored = self.decode(codes)
        squares = (x - restored).square()
        # in nats, as the rate is
        distortion = squares.flatten(1).sum(dim=1)
        distortion = distortion / (2 * self.noise)
        rate = self.code_prior.nats(codes)
        # the score's deviation is learned beside, and moves nothing else
        surprise = self.likelihood(x, restored.detach()).sum(dim=1)
        beside = surprise - surprise.detach()
        return distortion + rate.sum(dim=1) + beside

    def parts(self, x: Tensor) -> Tensor:
        """(batch, pixels + 1), in nats: the cost of each pixel of pictures x, all channels
        together, given their codes, which are not rounded; and last that of the code."""
        codes = self.encode(x)
        restored = self.decode(codes)
        of_pixels = self.likelihood(x, restored)
        rate = self.code_prior.nats(codes)
        # the likelihood says nothing of what all share
        costs_of_pixels = of_pixels[:, :-1]
        shared = rate.sum(dim=1, keepdim=True)
        return torch.cat([costs_of_pixels, shared], dim=1)

    @torch.no_grad()
    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of held-out pictures x whose codes are rounded: code_bits, the bits of a code by
        the prior, on average; code_rmse, the error in deviations of the pixels."""
        codes = self.encode(x).round()
        nats = self.code_prior.nats(codes)
        nats = nats.sum(dim=1)
        bits = BITS * float(nats.mean())
        difference = x - self.decode(codes)
        square = difference.square().mean()
        relative_error = torch.sqrt(square / self.variance)
        figures = {}
        figures["code_bits"] = round(bits, 3)
        figures["code_rmse"] = round(float(relative_error), 4)
        return figures
