"""The layers between data and code: an MLP for tables, convolutions for pictures."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from aetool.model import Spec


def backbone(
    spec: Spec, latent: int, *, width: int = 128, depth: int = 2, out: int | None = None
) -> tuple[nn.Module, nn.Module]:
    """(encoder, decoder): x to (batch, out or latent), and (batch, latent) to the layout of x.

    width: units of a hidden layer (channels of the first convolution are a quarter of it).
    depth: hidden layers, or for pictures halvings of the sides; 0 makes both maps linear.
    """
    out = out or latent
    if spec.shape is not None:
        return _conv(spec.shape, latent, width // 4, depth, out)
    sizes = [width] * depth
    encoder = _mlp([spec.features, *sizes, out])
    return encoder, _mlp([latent, *sizes, spec.features])


def _mlp(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def _conv(
    shape: tuple[int, int, int], latent: int, channels: int, depth: int, out: int
) -> tuple[nn.Module, nn.Module]:
    """Stride-2 convolutions and their transposes, with linear maps to and from the code."""
    sides = [(shape[1], shape[2])]
    for _ in range(depth):
        if min(sides[-1]) < 4:
            break
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    widths = [shape[0]] + [channels << i for i in range(len(sides) - 1)]
    flat = widths[-1] * sides[-1][0] * sides[-1][1]
    down: list[nn.Module] = []
    for a, b in pairwise(widths):
        down += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.SiLU()]
    up: list[nn.Module] = []
    levels = list(zip(widths, sides, strict=True))
    for (small, _), (large, side) in pairwise(reversed(levels)):
        # the transpose of a stride-2 convolution has two possible sizes: this picks the right one
        pad = (1 - side[0] % 2, 1 - side[1] % 2)
        up += [nn.SiLU(), nn.ConvTranspose2d(small, large, 3, 2, 1, output_padding=pad)]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, out))
    decoder = nn.Sequential(nn.Linear(latent, flat), _Unflatten(widths[-1], *sides[-1]), *up)
    return encoder, decoder


class _Unflatten(nn.Module):
    """(batch, c h w) to (batch, c, h, w), without reading the batch size."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.shape)
