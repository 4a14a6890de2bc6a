"""Posteriors q(z | x): how the encoder's output and noise become a code, and what the code costs in
nats.

Each maps the encoder's output h, (batch, size), and noise eps ~ N(0, I), (batch, draws, latent), to
codes z of the same shape and log q(z | x), one term for each unit; `mean` is what is stored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aetool.nn import MaskedLinear, kl_to_standard_normal

LOWEST = -6.0  # log deviation of the posterior
HIGHEST = 2.0
CONTEXT = 32  # numbers that tell every transformation of a flow about x
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def log_normal(v: Tensor) -> Tensor:
    """The natural logarithm of the standard normal density at v, element by element."""
    exponent = -0.5 * v.square()
    return exponent - HALF_LOG_TAU


class Diagonal(nn.Module):
    """A normal posterior with independent units, N(mean, diag(sigma^2)): Kingma & Welling 2013
    (arXiv:1312.6114). size: how many numbers the encoder must give for a record: means, then log
    sigmas. params: not read here; subclasses read their own."""

    def __init__(self, latent: int, params: object) -> None:
        """Set the size of the encoder's output, two numbers for each unit. latent: how many units a
        code has; params: not read here."""
        super().__init__()
        self.latent = latent
        self.size = 2 * latent

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Split the encoder's output h, (batch, size), into the moments of the posterior: (mean,
        log sigma), each (batch, latent), log sigma cut to -6 to 2."""
        units = self.latent
        mean = h[:, :units]
        log_sigma = h[:, units : 2 * units]
        # a posterior of no width, or of any, would make infinite gradients
        log_sigma = log_sigma.clamp(LOWEST, HIGHEST)
        return mean, log_sigma

    def mean(self, h: Tensor) -> Tensor:
        """(batch, latent): the code that is stored, the mean of the posterior. h: the encoder's
        output, (batch, size)."""
        mean, _ = self.moments(h)
        return mean

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Draw codes by noise eps ~ N(0, I), (batch, draws, latent): (codes z, log q(z | x) by
        unit), both in its shape. h: the encoder's output, (batch, size)."""
        mean, log_sigma = self.moments(h)
        sigma = log_sigma.exp()
        z = mean[:, None] + sigma[:, None] * eps
        log_density = log_normal(eps)
        # the density falls as the units are stretched by sigma
        log_q = log_density - log_sigma[:, None]
        return z, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        """The divergence of the posterior from N(0, I) by unit, (batch, latent), in nats, whose sum
        is KL(q || N(0, I)); None without a closed form. h: the encoder's output, (batch, size)."""
        mean, log_sigma = self.moments(h)
        log_variance = 2 * log_sigma
        return kl_to_standard_normal(mean, log_variance)


class Fixed(Diagonal):
    """A normal posterior with the same fixed sigma, params.sigma, for all units, N(mean, sigma^2
    I): with beta = 0 a vanilla probabilistic autoencoder, z = f(x) + sigma eps, else a regularised
    one."""

    def __init__(self, latent: int, params: object) -> None:
        """Set the deviation of all units, and the size of the encoder's output, one number for
        each. latent: how many units a code has; params.sigma: their deviation."""
        super().__init__(latent, params)
        self.size = latent
        self.log_sigma = math.log(params.sigma)  # type: ignore[attr-defined]

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(the means, which are h itself; log sigma, the same everywhere), each (batch, latent)."""
        return h, h * 0 + self.log_sigma


class Full(Diagonal):
    """A normal posterior with correlated units: N(mean, L L^T) with L = mask * L' + diag(sigma),
    lower triangular, the mask being 1 below the diagonal (Kingma & Welling 2019, arXiv:1906.02691,
    section 2.5.1): log det L is the sum of log sigma. The encoder gives means, log sigmas, and the
    entries of L' row by row."""

    place: Tensor

    def __init__(self, latent: int, params: object) -> None:
        """Make the table that lays the entries below the diagonal out as a matrix. latent: how many
        units a code has; params: not read."""
        super().__init__(latent, params)
        row, column = torch.tril_indices(latent, latent, -1)
        entries = len(row)
        self.size = 2 * latent + entries
        # a matrix product puts the entries where they belong, which every runtime can do
        place = torch.zeros(entries, latent * latent)
        entry = torch.arange(entries)
        place[entry, row * latent + column] = 1
        self.register_buffer("place", place, persistent=False)

    def factor(self, h: Tensor) -> Tensor:
        """(batch, latent, latent): the entries below the diagonal of L, the covariance being L L^T;
        0 on the diagonal and above. h: the encoder's output, (batch, size)."""
        first = 2 * self.latent
        # small at first, so that training begins near independent units
        entries = 0.1 * h[:, first:]
        flat = entries @ self.place
        return flat.reshape(-1, self.latent, self.latent)

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Draw codes whose units are correlated, by noise eps ~ N(0, I), (batch, draws, latent):
        (codes z, log q(z | x) by unit), both in its shape. h: the encoder's output, (batch,
        size)."""
        z, log_q = super().sample(h, eps)
        factor = self.factor(h)
        correlated = eps @ factor.transpose(1, 2)
        # the factor has 0 on its diagonal, so that the density is that of independent units
        return z + correlated, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        """The divergence from N(0, I) by unit, (batch, latent), in nats, never None: that of
        independent units of the same means and log sigmas, and of each unit also what its
        correlation with others adds. h: the encoder's output, (batch, size)."""
        kl_of_diagonal = super().kl(h)
        assert kl_of_diagonal is not None
        square = self.factor(h).square()
        # what the entries beside the diagonal add to the variance of each unit
        variance = square.sum(dim=2)
        return kl_of_diagonal + 0.5 * variance


class Flow(Diagonal):
    """A posterior by inverse autoregressive flow (Kingma et al. 2016, arXiv:1606.04934): each
    transformation is z_i <- s_i z_i + (1 - s_i) m_i with s and m of the units before i, so that its
    Jacobian is triangular with diagonal s; the order is reversed from one to the next. There are
    params.flow of them, which read CONTEXT (32) numbers of the encoder's output beside means and
    log sigmas."""

    backwards: Tensor

    def __init__(self, latent: int, params: object) -> None:
        """Make the layers of the transformations, with random weights. latent: how many units a
        code has; params.flow: how many transformations there are."""
        super().__init__(latent, params)
        self.size = 2 * latent + CONTEXT
        steps = range(params.flow)  # type: ignore[attr-defined]
        order = torch.arange(latent)
        moments = order.repeat(2)
        from_units = [MaskedLinear(order, moments, False) for _ in steps]
        from_context = [nn.Linear(CONTEXT, len(moments)) for _ in steps]
        self.before = nn.ModuleList(from_units)
        self.context = nn.ModuleList(from_context)
        backwards = order.flip(0)
        self.register_buffer("backwards", backwards, persistent=False)

    def mean(self, h: Tensor) -> Tensor:
        """The code that is stored, (batch, latent): the one to which noise of 0 is transformed. h:
        the encoder's output, (batch, size)."""
        no_noise = h[:, None, : self.latent] * 0
        z, _ = self.sample(h, no_noise)
        return z.flatten(1)

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Draw codes, what the transformations make of a draw from the normal posterior, by noise
        eps ~ N(0, I), (batch, draws, latent): (codes z, log q(z | x) by unit), both in its shape.
        h: the encoder's output, (batch, size)."""
        z, log_q = super().sample(h, eps)
        units = self.latent
        context = torch.tanh(h[:, 2 * units :])
        transformations = zip(self.before, self.context, strict=True)
        for from_units, from_context in transformations:
            of_units = from_units(z)
            of_context = from_context(context)
            moments = of_units + of_context[:, None]
            m = moments[..., :units]
            # a transformation begins as nearly none: s is near 1
            gate = moments[..., units:] + 2.0
            s = torch.sigmoid(gate)
            z = s * z + (1 - s) * m
            # -log s, by which the density rises where the units are drawn together
            minus_log_s = nn.functional.softplus(-gate)
            log_q = log_q + minus_log_s
            z = z.index_select(2, self.backwards)
            log_q = log_q.index_select(2, self.backwards)
        return z, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        """The divergence of the posterior from the prior, where it has a closed form: None, as that
        of a flow has none."""
        return None


KINDS = {"diagonal": Diagonal, "full": Full, "flow": Flow, "fixed": Fixed}
