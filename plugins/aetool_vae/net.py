"""The variational autoencoder (Kingma & Welling 2013; Rezende, Mohamed & Wierstra 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from aetool.data.scaling import PIXEL_MEAN, PIXEL_SPREAD
from aetool.errors import ParamError
from aetool.nn import AutoEncoder, Backbone, Likelihood, backbone, start_at_pca
from aetool_vae.pixels import MOST_DRAWN, LogisticPixels
from aetool_vae.posteriors import KINDS, log_normal

ACTIVE = 0.01  # nats of KL, on average: a unit with less says nothing
MOST_FULL = 64  # code units of a full covariance
DRAWS_REPORTED = 8  # of a row's code, that figures of training are read off


class VAE(AutoEncoder):
    """A variational autoencoder: q(z|x), the posterior, as params.posterior says, p(z) = N(0, I).
    The code that is stored is q's mean.

    parts is the negative ELBO, E_q[-log p(x|z)] + KL(q || p): the expected cost of each column,
    over params.samples fixed quasi-random draws so that the score is deterministic, and the KL as
    what all columns share; in nats. With score=iwae it is the bound of Burda, Grosse &
    Salakhutdinov 2015 (arXiv:1509.00519), -log mean_s w_s with w_s = p(x|z_s) p(z_s) / q(z_s|x),
    each column's cost being weighed by w_s.

    With pixels=logistic the decoder gives a mixture of discretised logistics for each pixel
    (aetool_vae.pixels), from z alone: parts in bits are a bound of the mass of 8-bit pictures. For
    large pictures their scores average fewer draws: as many as make 2^18 pixels together (16 of 128
    x 128), but one at least.
    """

    encoder: Backbone
    draws: Tensor

    def build(self) -> None:
        """Make posterior, encoder and decoder, and the fixed draws that scores average; sets
        `prior`, which with beta=0 is "codes", else "normal". ParamError for posterior=full with
        more than 64 code units."""
        params = self.params
        if params.posterior == "full" and self.latent > MOST_FULL:
            raise ParamError(
                f"posterior=full takes latent up to {MOST_FULL}, got {self.latent}; use flow"
            )
        self.likelihood = Likelihood(
            self.spec,
            params.error,
            params.pixels,
            shared=params.scale == "shared",
            means=self.means,
        )
        # what `sample` draws codes of: with beta=0 nothing has pulled them to N(0, I)
        self.prior = "normal" if params.beta else "codes"
        posterior = KINDS[params.posterior]
        self.q = posterior(self.latent, params)
        width = self.width()
        self.encoder, self.decoder = backbone(
            self.spec,
            self.latent,
            out=self.q.size,
            width=width,
            depth=params.depth,
        )
        samples = params.samples
        shape = self.spec.shape
        # plain errors are of means alone
        if shape and params.pixels == "logistic" and params.error == "bits":
            channels = max(4, width // 4)
            self.decoder = LogisticPixels(
                self.latent,
                shape,
                channels,
                params.depth,
                params.components,
            )
            _, height, width = shape
            most_draws = MOST_DRAWN // (height * width)
            samples = max(1, min(samples, most_draws))
        draws = _fixed_draws(self.latent, samples)
        self.register_buffer("draws", draws, persistent=False)

    def start(self, x: Tensor) -> None:
        """Set the maps, in place, to probabilistic PCA of rows x: means to PCA's code, deviations
        to its posterior's. Nothing is done where pixels are mixtures or intensities, of which the
        decoder gives no means."""
        if self.likelihood.bernoulli or self.logistic is not None:
            return
        units = self.latent
        variances = start_at_pca(self.encoder, self.decoder, self.spec, units, x)
        # a posterior of one fixed deviation has none to set
        has_deviations = self.q.size >= 2 * units
        if variances is not None and has_deviations:
            deviations = slice(units, 2 * units)
            log_sigma = 0.5 * variances.log()
            with torch.no_grad():
                self.encoder.linear.bias[deviations] = log_sigma

    @property
    def logistic(self) -> LogisticPixels | None:
        """The decoder, if it gives mixtures of logistics; else None."""
        if isinstance(self.decoder, LogisticPixels):
            return self.decoder
        return None

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of a Gaussian q(z|x), (batch, latent) each, for rows x; with
        posterior=full without what correlation adds to the variance, of a flow before it."""
        h = self.encoder(x)
        mean, log_sigma = self.q.moments(h)
        # log sigma^2
        return mean, 2 * log_sigma

    def encode(self, x: Tensor) -> Tensor:
        """The code that is stored of rows x, (batch, latent): the posterior's mean; of a flow what
        it makes of noise 0."""
        h = self.encoder(x)
        return self.q.mean(h)

    def decode(self, z: Tensor) -> Tensor:
        """What codes z, (batch, latent), are decoded to, laid out as x: means, and logits for flags
        and one-hot blocks; of pixels their expected values, standardised, also where the decoder
        gives mixtures or intensities."""
        out = self.decoder(z)
        if self.logistic is not None:
            return self.logistic.mean(out)
        if self.likelihood.bernoulli:
            level = 255 * torch.sigmoid(out)
            return (level - PIXEL_MEAN) / PIXEL_SPREAD
        return out

    def bound(self, x: Tensor, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """What rows and codes drawn for them cost: (-log p(x|z) by column, (batch, draws, columns +
        1), last 0; log q(z|x) - log p(z) by unit, (batch, draws, latent)), in nats. x: the rows; h:
        the encoder's output for them, or for damaged copies of them, (batch, q.size); eps: the
        noise by which codes are drawn, (batch, draws, latent)."""
        z, log_q = self.q.sample(h, eps)
        draws = eps.shape[1]
        # a product repeats rows without asking how many the batch has
        axes = [1] * (x.dim() - 1)
        ones = torch.ones(draws, *axes, device=x.device)
        repeated = x[:, None] * ones
        rows = repeated.flatten(0, 1)
        codes = z.flatten(0, 1)
        cost = self.cost(rows, codes)
        columns = cost.shape[1]
        cost = cost.reshape(-1, draws, columns)
        ratio = log_q - log_normal(z)
        return cost, ratio

    def cost(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) by column, in nats, (batch, columns + 1), of rows x, given as many codes z,
        (batch, latent); last is 0."""
        if self.logistic is None:
            expected = self.decode(z)
            return self.likelihood(x, expected)
        mixtures = self.logistic(z)
        pixels = self.logistic.nats(x, mixtures)
        nothing = pixels[:, :1] * 0.0
        return torch.cat([pixels, nothing], dim=1)

    def finish(self, batches: Iterable[Tensor]) -> None:
        """For a decoder of mixtures, set the likelihood's scales, by which `sample` adds noise, to
        the differences of pixels from the mixtures' means, on the first of the batches of training
        rows; else nothing."""
        if self.logistic is not None:
            x = next(iter(batches))
            codes = self.encode(x)
            expected = self.decode(codes)
            self.likelihood.start(x, expected)

    def draw(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """A code for each of rows x, drawn from its posterior by rng: (batch, latent)."""
        shape = (len(x), 1, self.latent)
        eps = torch.randn(shape, generator=rng, device=x.device)
        h = self.encoder(x)
        z, _ = self.q.sample(h, eps)
        return z.flatten(1)

    def parts(self, x: Tensor) -> Tensor:
        """(batch, columns + 1), in nats: the expected cost of each column of rows x, and last the
        KL; or the parts of the bound of importance weights with score=iwae."""
        h = self.encoder(x)
        zeros = h[:, None, : self.latent] * 0
        # the same draws for every row, however many there are
        eps = zeros + self.draws
        cost, ratio = self.bound(x, h, eps)
        if self.params.score == "iwae":
            return self._weighed_parts(cost, ratio)
        mean_cost = cost.mean(dim=1)
        columns = mean_cost[:, :-1]
        nats_of_units = self._nats_of_code(h, ratio)
        shared = nats_of_units.sum(dim=1, keepdim=True)
        return torch.cat([columns, shared], dim=1)

    def _weighed_parts(self, cost: Tensor, ratio: Tensor) -> Tensor:
        """The parts of the bound of importance weights (score=iwae), (rows, columns + 1), in nats:
        of each column its cost, averaged over draws by their weights; last what belongs to no
        column. cost: (rows, draws, columns + 1) and ratio: (rows, draws, latent), as `bound`
        returns them."""
        # log w_s = log p(x|z_s) + log p(z_s) - log q(z_s|x)
        log_w = -cost.sum(dim=2) - ratio.sum(dim=2)
        share = torch.softmax(log_w, dim=1)[:, :, None]
        weighed = (share * cost).sum(dim=1)
        columns = weighed[:, :-1]
        log_sum = torch.logsumexp(log_w, dim=1, keepdim=True)
        # -log of the mean weight; what the columns do not account for is the record's
        total = math.log(len(self.draws)) - log_sum
        shared = total - columns.sum(dim=1, keepdim=True)
        return torch.cat([columns, shared], dim=1)

    def _nats_of_code(self, h: Tensor, ratio: Tensor) -> Tensor:
        """What the code costs by unit, (batch, latent), in nats: the divergence of the posterior
        from the prior; where that has no closed form the mean of `ratio`, as `bound` returns it. h:
        the encoder's output."""
        kl = self.q.kl(h)
        if kl is None:
            return ratio.mean(dim=1)
        return kl

    def loss(
        self,
        x: Tensor,
        rng: torch.Generator,
        seen: Tensor | None = None,
    ) -> Tensor:
        """The loss of each row x, (batch,), in nats: the expected cost of its columns over
        params.draws codes, which rng draws for `seen`, damaged copies, or for x if that is None;
        plus beta times the KL, of which params.free_bits are free for each unit. beta rises from 0
        in the part params.warmup of training."""
        params = self.params
        h = self.encoder(x if seen is None else seen)
        shape = (len(x), params.draws, self.latent)
        eps = torch.randn(shape, generator=rng, device=x.device)
        cost, ratio = self.bound(x, h, eps)
        nats_of_units = self._nats_of_code(h, ratio)
        # Kingma et al. 2016, appendix C.8: of the batch's mean, by unit
        if params.free_bits:
            free = params.free_bits * math.log(2)
            mean = nats_of_units.mean(dim=0, keepdim=True)
            nats_of_units = mean.clamp(min=free)
        beta = params.beta
        # Bowman et al. 2016 (arXiv:1511.06349), section 3.1
        if params.warmup:
            part_of_warmup = self.progress / params.warmup
            beta *= min(1.0, part_of_warmup)
        cost_of_draws = cost.sum(dim=2)
        expected_cost = cost_of_draws.mean(dim=1)
        nats_of_code = nats_of_units.sum(dim=1)
        return expected_cost + beta * nats_of_code

    def report(self, x: Tensor) -> dict[str, float]:
        """Figures of training by held-out rows x, which are on the CPU: kl_nats, the mean KL of a
        row; active_units, those with a mean KL above 0.01 nats; prior_mismatch_nats, how far all
        codes together are from the prior: KL(N(m, S) || N(0, I)) with the mean m and covariance S
        of the posteriors' mixture."""
        h = self.encoder(x)
        shape = (len(x), DRAWS_REPORTED, self.latent)
        # always the same draws: a second fit reports the same figures
        rng = torch.Generator()
        rng.manual_seed(0)
        eps = torch.randn(shape, generator=rng)
        z, log_q = self.q.sample(h, eps)
        ratio = log_q - log_normal(z)
        kl = self._nats_of_code(h, ratio)
        kl_of_records = kl.sum(dim=1)
        mean_kl = float(kl_of_records.mean())
        kl_of_units = kl.mean(dim=0)
        is_active = kl_of_units > ACTIVE
        codes = z.flatten(0, 1)
        mismatch = _nats_from_standard_normal(codes)
        return {
            "kl_nats": round(mean_kl, 4),
            "active_units": int(is_active.sum()),
            "prior_mismatch_nats": round(mismatch, 4),
        }


def _fixed_draws(latent: int, samples: int) -> Tensor:
    """(samples, latent): quasi-random numbers that are spread as N(0, I) is, always the same for
    the same arguments. latent: at most 21,201, as the sequence has no more dimensions."""
    sobol = torch.quasirandom.SobolEngine(latent, scramble=True, seed=0)  # type: ignore[no-untyped-call]
    uniform = sobol.draw(samples)
    # 0 and 1 stand for infinite numbers
    uniform = uniform.clamp(1e-6, 1 - 1e-6)
    return torch.special.ndtri(uniform)


def _nats_from_standard_normal(z: Tensor) -> float:
    """KL(N(m, S) || N(0, I)), in nats, with the mean m and covariance S of codes z, (rows, latent),
    two rows at least, on the CPU."""
    codes = z.double()
    latent = z.shape[1]
    # a little on the diagonal, for units that never change
    jitter = 1e-9 * torch.eye(latent)
    cov = torch.cov(codes.T)
    # of one unit torch gives a number, not a matrix
    cov = cov.reshape(latent, latent) + jitter
    mean = codes.mean(dim=0)
    square = mean.square().sum()
    twice_nats = cov.trace() + square - latent - torch.logdet(cov)
    return 0.5 * float(twice_nats)
