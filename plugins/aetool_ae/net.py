"""The plain autoencoder (Rumelhart, Hinton & Williams 1986; Hinton & Salakhutdinov 2006)."""

from aetool.nn import AutoEncoder


class Plain(AutoEncoder):
    """Nothing differs from the base: the likelihood of x under its own reconstruction."""
