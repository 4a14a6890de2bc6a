"""The layers between data and code, by levels: an MLP for tables, convolutions for pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from aetool.model import Spec

Levels = list[list[nn.Module]]


class Backbone(nn.Module):
    """Layers in levels, one after the other, plus a linear map straight from input to output.

    The straight map carries what is linear in the data, and the levels learn the rest. Iterates
    over the levels, each an nn.Sequential. straight is None where the levels are themselves linear,
    or where no straight map is wanted. levels: the layers of each, one level at least.
    """

    def __init__(self, levels: list[list[nn.Module]], straight: nn.Module | None) -> None:
        """Join the layers of each level; straight: the map from input to output, or None."""
        super().__init__()
        self.levels = nn.ModuleList(nn.Sequential(*level) for level in levels)
        self.straight = straight

    def forward(self, x: Tensor) -> Tensor:
        """The output of the last level for x, plus that of the straight map, if there is one."""
        out = x
        for level in self.levels:
            out = level(out)
        if self.straight is None:
            return out
        return out + self.straight(x)

    def __iter__(self) -> Iterator[nn.Module]:
        """Iterate over the levels, the one that sees the input first."""
        return iter(self.levels)

    def __getitem__(self, place: int) -> nn.Module:
        """The level in this place, from 0; below 0 from the end; IndexError if there is none."""
        return self.levels[place]

    def __len__(self) -> int:
        """The number of levels."""
        return len(self.levels)

    @property
    def linear(self) -> Any:
        """The linear map from input to output: the straight one, or that of the only level; None
        where there is neither. An nn.Linear, or if tied a module with a bias alone; of a single
        level of pictures its convolution or linear layer."""
        if self.straight is not None:
            return _first_with_bias(self.straight)
        if len(self.levels) == 1:
            return _first_with_bias(self.levels[0])
        return None

    def silence(self) -> None:
        """Set the weights and bias of the last level to 0, in place, so that the straight map alone
        is left; nothing without a straight map."""
        if self.straight is None:
            return
        last = _first_with_bias(self.levels[-1])
        # its own weight and bias, and none of the encoder's that it may be tied to
        for weight in last.parameters(recurse=False):
            nn.init.zeros_(weight)


def backbone(
    spec: Spec,
    latent: int,
    *,
    width: int = 128,
    depth: int = 2,
    out: int | None = None,
    tied: bool = False,
    straight: bool = True,
) -> tuple[Backbone, Backbone]:
    """Build an encoder and a decoder: (encoder, decoder), x to (batch, out or latent), and (batch,
    latent) to the layout of x.

    Both have depth + 1 levels, and decoder[-1 - i] goes back over what encoder[i] maps. width:
    units of a hidden layer (channels of the first convolution are a quarter of it). depth: hidden
    layers, or for pictures halvings of the sides, of which there are fewer where the shorter side
    comes to fewer than 4 pixels; 0 makes both maps linear. tied: the decoder's weights are the
    encoder's, transposed (out must then be latent). out: numbers that the encoder gives, such as
    two for each unit; None: latent. straight: a linear map goes beside the levels, so that training
    can start from PCA; without effect where there is one level alone, which is linear already.
    """
    out = out or latent
    # the levels of both without what is nonlinear between them
    if spec.shape is not None:
        downs, ups = _conv(
            spec.shape,
            latent,
            width // 4,
            depth,
            out,
        )
    else:
        downs, ups = _linear_levels(spec.features, latent, width, depth, out)
    if tied:
        # the levels of both in the order of the decoder's
        for down, layers in zip(_linears(downs), ups, strict=True):
            layers[0] = _tied(down, layers[0])
    # none behind the last level: a code and a mean may have any value
    for layers in (*downs[:-1], *ups[:-1]):
        layers.append(nn.SiLU())
    # a single level is linear already
    if not straight or len(downs) == 1:
        return Backbone(downs, None), Backbone(ups, None)
    # past all levels: what is linear needs no hidden units
    to_code: nn.Module = nn.Linear(spec.features, out)
    from_code: nn.Module = nn.Linear(latent, spec.features)
    if tied:
        from_code = _TiedLinear(to_code, from_code)
    if spec.shape is not None:
        to_code = nn.Sequential(nn.Flatten(), to_code)
        from_code = nn.Sequential(from_code, _Unflatten(*spec.shape))
    return Backbone(downs, to_code), Backbone(ups, from_code)


def _linear_levels(
    features: int,
    latent: int,
    width: int,
    depth: int,
    out: int,
) -> tuple[Levels, Levels]:
    """(levels of the encoder, from `features` to `out` numbers; levels of the decoder, from
    `latent` numbers to `features`) for tables, depth + 1 each, every level a list of one linear
    map. width: units of a hidden layer; depth: how many hidden layers."""
    sizes = [features] + [width] * depth
    downs: Levels = []
    # from the features to the code, a level for each pair of sizes
    for before, after in pairwise([*sizes, out]):
        downs.append([nn.Linear(before, after)])
    ups: Levels = []
    # and the same way back
    for before, after in pairwise([latent, *reversed(sizes)]):
        ups.append([nn.Linear(before, after)])
    return downs, ups


def _first_with_bias(layers: nn.Module) -> nn.Module:
    """The first layer with a bias among the layers of a level: its linear map or convolution. A
    layer that is no nn.Sequential is itself returned; StopIteration if none has a bias."""
    if not isinstance(layers, nn.Sequential):
        return layers
    return next(layer for layer in layers if hasattr(layer, "bias"))


def _linears(downs: Levels) -> list[nn.Module]:
    """The linear map or convolution of each level of an encoder, in reverse: from the code back to
    the data."""
    linears = []
    for level in reversed(downs):
        # an nn.Flatten beside it has no weight
        weighted = (layer for layer in level if hasattr(layer, "weight"))
        linears.append(next(weighted))
    return linears


def _conv(
    shape: tuple[int, int, int],
    latent: int,
    channels: int,
    depth: int,
    out: int,
) -> tuple[Levels, Levels]:
    """(levels of the encoder, from pictures to `out` numbers; levels of the decoder, from `latent`
    numbers to pictures), each level a list of layers: convolutions of stride 2, then a linear map;
    the same way back with transposes.

    shape: (channels, height, width) of pictures. channels: of the first convolution, twice as many
    after each halving. depth: halvings of the sides at most; where the shorter side has fewer than
    4 pixels neither is halved.
    """
    _, height, width = shape
    sides = [(height, width)]
    for _ in range(depth):
        # smaller pictures have nothing left to halve
        if min(height, width) < 4:
            break
        height = -(-height // 2)
        width = -(-width // 2)
        sides.append((height, width))
    # half the sides, twice the channels: a level has as many units as half the one before
    widths = [shape[0]]
    halvings = len(sides) - 1
    widths += [channels << halving for halving in range(halvings)]
    most_channels = widths[-1]
    flat = most_channels * height * width
    # layers draw their first weights in the order in which they are made here
    downs: Levels = []
    for before, after in pairwise(widths):
        halving = nn.Conv2d(before, after, 3, stride=2, padding=1)
        downs.append([halving])
    to_code = nn.Linear(flat, out)
    downs.append([nn.Flatten(), to_code])
    from_code = nn.Linear(latent, flat)
    ups: Levels = [[from_code, _Unflatten(most_channels, height, width)]]
    # back over the same sizes, the smallest first
    sizes = reversed(sides[:-1])
    channels_of_levels = pairwise(reversed(widths))
    for (height, width), (before, after) in zip(sizes, channels_of_levels, strict=True):
        # the transpose of a stride-2 convolution has two possible sizes: this picks the right one
        padding = (1 - height % 2, 1 - width % 2)
        doubling = nn.ConvTranspose2d(
            before,
            after,
            kernel_size=3,
            stride=2,
            padding=1,
            output_padding=padding,
        )
        ups.append([doubling])
    return downs, ups


def _tied(down: nn.Module, up: nn.Module) -> nn.Module:
    """A layer that maps back by the transposed weights of `down`, with the bias of `up`."""
    if isinstance(down, nn.Linear):
        return _TiedLinear(down, up)
    return _TiedConv(down, up)


class _TiedLinear(nn.Module):
    """The linear map x W + b, where W, (out, in), is the weight of the Linear `down`, and b the
    bias of `up`."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        """Share the weight of `down` and the bias of `up`, whose own weight is not trained."""
        super().__init__()
        self.down = down
        self.bias = up.bias
        self.up = [up]  # for its geometry; a list, so that its weight is nobody's parameter

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in) from x, (batch, out), the sizes being those of `down`."""
        weight = self.down.get_parameter("weight")
        bias = self.get_parameter("bias")
        return F.linear(x, weight.t(), bias)


class _TiedConv(_TiedLinear):
    """Transposed convolution by the weights of the convolution `down`, with the bias of `up`."""

    def forward(self, x: Tensor) -> Tensor:
        """Pictures of the size before `down` from its output x, (batch, channels, height,
        width)."""
        weight = self.down.get_parameter("weight")
        bias = self.get_parameter("bias")
        up = self.up[0]
        assert isinstance(up, nn.ConvTranspose2d)
        return F.conv_transpose2d(
            x,
            weight,
            bias,
            stride=2,
            padding=1,
            output_padding=up.output_padding,
        )


class _Unflatten(nn.Module):
    """Reshapes (batch, c h w) to (batch, c, h, w), without reading the batch size."""

    def __init__(self, *shape: int) -> None:
        """Take the shape (c, h, w) of one picture."""
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """(batch, c, h, w) of x, (batch, c h w)."""
        return x.reshape(-1, *self.shape)
