"""Deep SAD (Ruff et al. 2020): a sphere about what is ordinary, and out of reach of what is not."""

import torch
from torch import Tensor

from aetool_thirdparty.sphere import Sphere

NEAREST = 0.01  # square of a distance: no known anomaly counts as nearer to the centre


class SemiSupervised(Sphere):
    """Loss: that of the sphere for ordinary rows and unknown ones; of known anomalies (label -1) it
    is push / (pull |z - centre|^2), and they are not restored. Score: that of the sphere."""

    def loss(
        self,
        x: Tensor,
        rng: torch.Generator,
        seen: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Tensor:
        cost = super().loss(x, rng, seen)
        if labels is None:
            return cost
        away = self.params.push / (self.distance(self.encode(x))[:, 0] + NEAREST)
        return torch.where(labels < 0, away, cost)
