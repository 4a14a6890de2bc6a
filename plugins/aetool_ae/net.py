"""The plain autoencoder (Rumelhart, Hinton & Williams 1986; Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

from aetool.nn import Stacked, backbone


class Plain(Stacked):
    """The likelihood of x under its own reconstruction. depth=0 makes it linear: under the squared
    error its code then spans the principal subspace (Baldi & Hornik 1989)."""

    def build(self) -> None:
        self.encoder, self.decoder = backbone(
            self.spec, self.latent, width=self.width(), depth=self.params.depth,
            tied=self.params.tied,
        )  # fmt: skip
