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

LOWEST, HIGHEST = -6.0, 2.0  # log deviation of the posterior
CONTEXT = 32  # numbers that tell every transformation of a flow about x
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def log_normal(v: Tensor) -> Tensor:
    """The logarithm of the standard normal density at v, element by element."""
    return -0.5 * v.square() - HALF_LOG_TAU


class Diagonal(nn.Module):
    """A normal posterior with independent units, N(mean, diag(sigma^2)): Kingma & Welling 2013
    (arXiv:1312.6114)."""

    def __init__(self, latent: int, params: object) -> None:
        super().__init__()
        self.latent = latent
        self.size = 2 * latent

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Split the encoder's output h into the moments of the posterior: (mean, log sigma), each
        (batch, latent)."""
        mean = h[:, : self.latent]
        log_sigma = h[:, self.latent : 2 * self.latent]
        return mean, log_sigma.clamp(LOWEST, HIGHEST)

    def mean(self, h: Tensor) -> Tensor:
        """(batch, latent): the code that is stored, the mean of the posterior."""
        mean, _ = self.moments(h)
        return mean

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """(codes z, log q(z | x) by unit), both (batch, draws, latent), drawn by noise eps."""
        mean, log_sigma = self.moments(h)
        sigma = log_sigma.exp()
        z = mean[:, None] + sigma[:, None] * eps
        log_q = log_normal(eps) - log_sigma[:, None]
        return z, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        """The divergence of the posterior from N(0, I) by unit, (batch, latent), in nats, whose sum
        is KL(q || N(0, I)); None without a closed form. h: the encoder's output."""
        mean, log_sigma = self.moments(h)
        return kl_to_standard_normal(mean, 2 * log_sigma)


class Fixed(Diagonal):
    """A normal posterior with the same fixed sigma for all units, N(mean, sigma^2 I): with beta = 0
    a vanilla probabilistic autoencoder, z = f(x) + sigma eps, else a regularised one."""

    def __init__(self, latent: int, params: object) -> None:
        super().__init__(latent, params)
        self.size = latent
        self.log_sigma = math.log(params.sigma)  # type: ignore[attr-defined]

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        return h, h * 0 + self.log_sigma


class Full(Diagonal):
    """A normal posterior with correlated units: N(mean, L L^T) with L = mask * L' + diag(sigma),
    lower triangular (Kingma & Welling 2019, arXiv:1906.02691, section 2.5.1): log det L is the sum
    of log sigma."""

    place: Tensor

    def __init__(self, latent: int, params: object) -> None:
        super().__init__(latent, params)
        row, column = torch.tril_indices(latent, latent, -1)
        entries = len(row)
        self.size = 2 * latent + entries
        # a matrix product puts the entries where they belong, which every runtime can do
        place = torch.zeros(entries, latent * latent)
        place[torch.arange(entries), row * latent + column] = 1
        self.register_buffer("place", place, persistent=False)

    def factor(self, h: Tensor) -> Tensor:
        """(batch, latent, latent): the entries below the diagonal of L, the covariance being L L^T;
        0 on the diagonal and above. h: what the encoder returns."""
        entries = 0.1 * h[:, 2 * self.latent :]
        flat = entries @ self.place
        return flat.reshape(-1, self.latent, self.latent)

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        z, log_q = super().sample(h, eps)
        correlated = eps @ self.factor(h).transpose(1, 2)
        # the factor has 0 on its diagonal, so that the density is that of independent units
        return z + correlated, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        plain = super().kl(h)
        assert plain is not None
        square = self.factor(h).square()
        return plain + 0.5 * square.sum(dim=2)


class Flow(Diagonal):
    """A posterior by inverse autoregressive flow (Kingma et al. 2016, arXiv:1606.04934): each
    transformation is z_i <- s_i z_i + (1 - s_i) m_i with s and m of the units before i, so that its
    Jacobian is triangular with diagonal s; the order is reversed from one to the next."""

    backwards: Tensor

    def __init__(self, latent: int, params: object) -> None:
        super().__init__(latent, params)
        self.size = 2 * latent + CONTEXT
        steps = range(params.flow)  # type: ignore[attr-defined]
        order = torch.arange(latent)
        moments = order.repeat(2)
        self.before = nn.ModuleList(MaskedLinear(order, moments, False) for _ in steps)
        self.context = nn.ModuleList(nn.Linear(CONTEXT, len(moments)) for _ in steps)
        backwards = torch.arange(latent - 1, -1, -1)
        self.register_buffer("backwards", backwards, persistent=False)

    def mean(self, h: Tensor) -> Tensor:
        """The code that is stored, (batch, latent): the one to which noise of 0 is transformed. h:
        the encoder's output."""
        no_noise = h[:, None, : self.latent] * 0
        z, _ = self.sample(h, no_noise)
        return z.flatten(1)

    def sample(self, h: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        z, log_q = super().sample(h, eps)
        context = torch.tanh(h[:, 2 * self.latent :])
        for from_units, from_context in zip(self.before, self.context, strict=True):
            both = from_units(z) + from_context(context)[:, None]
            m = both[..., : self.latent]
            # a transformation begins as nearly none: s is near 1
            gate = both[..., self.latent :] + 2.0
            s = torch.sigmoid(gate)
            z = s * z + (1 - s) * m
            log_q = log_q + nn.functional.softplus(-gate)
            z = z.index_select(2, self.backwards)
            log_q = log_q.index_select(2, self.backwards)
        return z, log_q

    def kl(self, h: Tensor) -> Tensor | None:
        return None


KINDS = {"diagonal": Diagonal, "full": Full, "flow": Flow, "fixed": Fixed}
