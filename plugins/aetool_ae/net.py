"""The plain autoencoder (Rumelhart, Hinton & Williams 1986; Hinton & Salakhutdinov 2006)."""

from __future__ import annotations

from aetool.nn import Stacked, backbone


class Plain(Stacked):
    """A plain autoencoder: trained to make x as likely as possible under the decoder's
    reconstruction of it.

    With depth=0 it is linear: under the squared error its code then spans the principal subspace
    (Baldi & Hornik 1989).
    """

    def build(self) -> None:
        """Make encoder and decoder, with weights that both share if params.tied."""
        self.encoder, self.decoder = backbone(
            self.spec, self.latent, width=self.width(), depth=self.params.depth,
            tied=self.params.tied,
        )  # fmt: skip
