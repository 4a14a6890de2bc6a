"""Pictures of inspected parts and surfaces, drawn from a seed: ordinary ones, and ones with defects
and the masks of these.

Five objects and eight textures, 128 x 128 RGB. No two pictures are alike: place, turn, brightness,
the side that light comes from, the grain and the noise of the sensor differ. Objects are pieces,
each a signed distance from its edge, so that parts can be missing or misplaced and edges are smooth.

    python defect_pictures.py FOLDER [--seed 0]     one PNG sheet for each set, to be looked at
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIDE = 128  # pixels
FITTED, ORDINARY, OF_EACH = 60, 30, 10  # pictures to fit, ordinary ones to test, of each defect
DEFECTS = ("scratch", "hole", "stain", "missing part", "misplaced part", "colour shift")
OBJECTS = ("nut", "gear", "capsule", "board", "plug")
TEXTURES = ("weave", "wood", "terrazzo", "leather", "carpet")
# held apart: nothing of a detector may be chosen by them
KEPT_TEXTURES = ("mesh", "brushed", "marble")

Field = npt.NDArray[np.float64]  # (SIDE, SIDE), or with a last axis of 3 colours
Mask = npt.NDArray[np.bool_]
Distance = Callable[[Field, Field], Field]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one set: (n, SIDE, SIDE, 3) uint8 to fit and to test; of the latter the mask of
    what is wrong, (n, SIDE, SIDE) bool, and the defect, "" for none."""

    fitted: npt.NDArray[np.uint8]
    tested: npt.NDArray[np.uint8]
    masks: Mask
    defects: list[str]


def pictures(name: str, seed: int) -> Pictures:
    """The pictures of a set, one of OBJECTS, TEXTURES or KEPT_TEXTURES, by a seed."""
    every = [*OBJECTS, *TEXTURES, *KEPT_TEXTURES]
    rng = np.random.default_rng([seed, every.index(name)])
    fitted = [picture(name, rng)[0] for _ in range(FITTED)]
    tested = [picture(name, rng) for _ in range(ORDINARY)]
    defects = [""] * ORDINARY
    for defect in DEFECTS:
        for _ in range(OF_EACH):
            tested.append(picture(name, rng, defect))
            defects.append(defect)
    shown = np.stack([one for one, _ in tested])
    masks = np.stack([mask for _, mask in tested])
    return Pictures(np.stack(fitted), shown, masks, defects)


def picture(
    name: str, rng: np.random.Generator, defect: str = ""
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """(the picture, where it is wrong)."""
    while True:
        if name in OBJECTS:
            scene, mask = _object(name, rng, defect)
        else:
            scene, mask = _texture(name, rng, defect)
        if not defect or 12 <= mask.sum() <= mask.size // 4:
            return _photograph(scene, rng), mask


def _photograph(scene: Field, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A scene, colours 0 .. 1, as a camera sees it: exposure, light from one side, a lens that
    blurs a little, and noise."""
    down, right = _grid()
    turn = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0, 0.06) * (np.cos(turn) * right + np.sin(turn) * down)
    tint = 1 + rng.normal(0, 0.008, 3)
    exposed = scene * light[..., None] * tint * rng.uniform(0.92, 1.08)
    seen = np.stack([_blurred(exposed[..., c], 0.6) for c in range(3)], axis=-1)
    noisy = seen + rng.normal(0, 0.010, seen.shape)
    return np.clip(np.round(noisy * 255), 0, 255).astype(np.uint8)


# ---------------------------------------------------------------------------- fields


def _grid() -> tuple[Field, Field]:
    """(down, right): from -1 to 1 over the picture."""
    line = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    down, right = np.meshgrid(line, line, indexing="ij")
    return down, right


def _blurred(values: Field, deviation: float) -> Field:
    """Values under a Gaussian of so many pixels, mirrored at the edges."""
    reach = max(1, int(3 * deviation + 0.5))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, reach, mode="reflect")
    rows = sum(w * padded[k : k + SIDE] for k, w in enumerate(kernel))
    return np.asarray(sum(w * rows[:, k : k + SIDE] for k, w in enumerate(kernel)))


def _noise(
    rng: np.random.Generator,
    coarse: float,
    fall: float = 1.5,
    stretch: float = 1.0,
    turn: float = 0.0,
) -> Field:
    """A random field of mean 0 and deviation 1: waves longer than `coarse` pixels are all as
    strong, shorter ones fall off by the power `fall`. stretch: how much longer waves are along the
    direction `turn` than across."""
    size = 2 * SIDE  # so that opposite sides of the picture do not match
    down = np.fft.fftfreq(size)[:, None]
    right = np.fft.fftfreq(size)[None, :]
    along = (np.cos(turn) * right + np.sin(turn) * down) * stretch
    across = np.cos(turn) * down - np.sin(turn) * right
    strength = 1 / (1 + (np.hypot(along, across) * coarse) ** 2) ** (fall / 2)
    strength[0, 0] = 0
    waves = np.fft.fft2(rng.standard_normal((size, size))) * strength
    values = np.real(np.fft.ifft2(waves))[:SIDE, :SIDE]
    return np.asarray((values - values.mean()) / values.std())


def _coloured(values: Field, dark: Colour, light: Colour) -> Field:
    """Colours between two by values 0 .. 1."""
    part = np.clip(values, 0, 1)[..., None]
    return np.asarray(np.array(dark) * (1 - part) + np.array(light) * part)


def _turned(down: Field, right: Field, turn: float) -> tuple[Field, Field]:
    return (
        np.cos(turn) * down - np.sin(turn) * right,
        np.sin(turn) * down + np.cos(turn) * right,
    )


def _laid(under: Field, cover: Field, part: Field) -> Field:
    """One over the other, by the part, 0 .. 1, that is covered."""
    return np.asarray(under * (1 - part[..., None]) + cover * part[..., None])


# ---------------------------------------------------------------------------- objects


@dataclass(frozen=True)
class Piece:
    """A piece of an object: its signed distance, negative inside; where its middle lies; colour.

    loose: whether it may be missing or misplaced. raised: how much its edge catches the light,
    negative for what is sunk. grain: how rough it is.
    """

    distance: Distance
    middle: tuple[float, float]
    colour: Colour
    loose: bool = False
    raised: float = 0.1
    grain: float = 0.02

    def moved(self, down: float, right: float) -> Piece:
        """The same piece at another place."""
        return replace(
            self,
            distance=lambda v, u: self.distance(v - down, u - right),
            middle=(self.middle[0] + down, self.middle[1] + right),
        )


@dataclass(frozen=True)
class Kind:
    """An object: what lies below it, and its pieces, the first of them its body."""

    ground: Colour
    pieces: Sequence[Piece] = field(default_factory=tuple)


def _disc(down: float, right: float, radius: float) -> Distance:
    return lambda v, u: np.hypot(v - down, u - right) - radius


def _box(
    down: float, right: float, height: float, width: float, corner: float = 0.02, turn: float = 0.0
) -> Distance:
    """A rectangle of these half sides with rounded corners."""

    def distance(v: Field, u: Field) -> Field:
        y, x = _turned(v - down, u - right, turn)
        dy, dx = np.abs(y) - height + corner, np.abs(x) - width + corner
        outside = np.hypot(np.maximum(dy, 0), np.maximum(dx, 0))
        return np.asarray(outside + np.minimum(np.maximum(dy, dx), 0) - corner)

    return distance


def _hexagon(radius: float) -> Distance:
    def distance(v: Field, u: Field) -> Field:
        sides = [np.abs(v * np.cos(t) + u * np.sin(t)) for t in (0, np.pi / 3, 2 * np.pi / 3)]
        return np.asarray(np.max(sides, axis=0) - radius)

    return distance


def _nut() -> Kind:
    steel, dark = (0.62, 0.64, 0.67), (0.12, 0.12, 0.14)
    washer = Piece(_disc(0, 0, 0.74), (0, 0), (0.48, 0.49, 0.52), raised=0.12, grain=0.015)
    body = Piece(_hexagon(0.55), (0, 0), steel, raised=0.25, grain=0.02)
    ring = Piece(_disc(0, 0, 0.40), (0, 0), (0.56, 0.57, 0.60), raised=-0.15)
    bore = Piece(_disc(0, 0, 0.27), (0, 0), dark, raised=-0.3)
    marks = [
        Piece(_box(0.475, right, 0.022, 0.05), (0.475, right), (0.30, 0.30, 0.33), True, -0.05)
        for right in (-0.17, 0.0, 0.17)
    ]
    return Kind((0.80, 0.79, 0.76), [washer, body, ring, bore, *marks])


def _gear() -> Kind:
    brass, dark = (0.72, 0.58, 0.30), (0.20, 0.17, 0.13)
    body = Piece(_disc(0, 0, 0.62), (0, 0), brass, raised=0.15, grain=0.025)
    teeth, holes = [], []
    for turn in np.arange(12) * np.pi / 6:
        down, right = 0.66 * np.sin(turn), 0.66 * np.cos(turn)
        tooth = _box(down, right, 0.075, 0.11, 0.03, -turn)
        teeth.append(Piece(tooth, (down * 1.07, right * 1.07), brass, True, 0.12, 0.025))
    for turn in (np.arange(5) + 0.5) * 2 * np.pi / 5:
        place = (0.40 * np.sin(turn), 0.40 * np.cos(turn))
        holes.append(Piece(_disc(*place, 0.10), place, dark, True, -0.2))
    hub = Piece(_disc(0, 0, 0.19), (0, 0), (0.62, 0.50, 0.27), raised=0.15)
    bore = Piece(_disc(0, 0, 0.09), (0, 0), dark, raised=-0.2)
    return Kind((0.33, 0.36, 0.40), [*teeth, body, *holes, hub, bore])


def _capsule() -> Kind:
    body = Piece(_box(0, 0, 0.30, 0.74, 0.30), (0, 0), (0.93, 0.88, 0.78), raised=0.3, grain=0.01)
    half = _box(0, 0.4, 0.30, 0.40, 0.28)

    def cap(v: Field, u: Field) -> Field:
        return np.asarray(np.maximum(body.distance(v, u), half(v, u)))

    red = Piece(cap, (0, 0.37), (0.78, 0.22, 0.16), raised=0.2, grain=0.01)
    band = Piece(_box(0, 0.0, 0.295, 0.025), (0, 0), (0.55, 0.16, 0.12), raised=0.0)
    ink = (0.22, 0.22, 0.38)
    print_ = [
        Piece(_box(-0.05, -0.46, 0.085, 0.018), (-0.05, -0.46), ink, True, 0.0),
        Piece(_box(-0.05, -0.36, 0.018, 0.06), (-0.05, -0.36), ink, True, 0.0),
        Piece(_box(0.03, -0.24, 0.085, 0.018, turn=0.5), (0.03, -0.24), ink, True, 0.0),
        Piece(_disc(-0.02, -0.13, 0.045), (-0.02, -0.13), ink, True, 0.0),
    ]
    return Kind((0.24, 0.30, 0.34), [body, red, band, *print_])


def _board() -> Kind:
    body = Piece(_box(0, 0, 0.78, 0.82, 0.05), (0, 0), (0.10, 0.36, 0.22), raised=0.1, grain=0.02)
    copper, black, tin = (0.16, 0.46, 0.28), (0.13, 0.13, 0.15), (0.74, 0.75, 0.76)
    tracks = [
        Piece(_box(down, 0.0, 0.012, 0.66), (down, 0), copper, raised=0.0)
        for down in (-0.60, -0.22, 0.18, 0.50)
    ]
    chips = [
        Piece(_box(-0.40, -0.30, 0.14, 0.24), (-0.40, -0.30), black, True, 0.25),
        Piece(_box(0.33, 0.38, 0.20, 0.20), (0.33, 0.38), black, True, 0.25),
        Piece(_disc(-0.40, 0.46, 0.16), (-0.40, 0.46), (0.30, 0.32, 0.50), True, 0.3),
    ]
    pins = [
        Piece(_box(down, right, 0.035, 0.022, 0.01), (down, right), tin, False, 0.1)
        for down in (-0.575, -0.225)
        for right in np.linspace(-0.49, -0.11, 6)
    ]
    small = [
        Piece(_box(down, right, 0.035, 0.07, 0.015), (down, right), colour, True, 0.2)
        for down, right, colour in (
            (0.08, -0.55, (0.75, 0.62, 0.40)), (0.08, -0.30, (0.75, 0.62, 0.40)),
            (0.30, -0.55, (0.20, 0.20, 0.22)), (0.30, -0.30, (0.20, 0.20, 0.22)),
            (0.60, -0.55, (0.75, 0.62, 0.40)), (0.60, -0.30, (0.75, 0.62, 0.40)),
            (0.02, 0.20, (0.20, 0.20, 0.22)), (0.02, 0.50, (0.75, 0.62, 0.40)),
        )
    ]  # fmt: skip
    holes = [
        Piece(_disc(down, right, 0.05), (down, right), (0.78, 0.77, 0.70), False, -0.2)
        for down in (-0.68, 0.68)
        for right in (-0.72, 0.72)
    ]
    return Kind((0.70, 0.70, 0.72), [body, *tracks, *pins, *chips, *small, *holes])


def _plug() -> Kind:
    white, dark, gold = (0.86, 0.86, 0.83), (0.16, 0.17, 0.20), (0.80, 0.66, 0.28)
    body = Piece(_box(0, 0, 0.52, 0.74, 0.08), (0, 0), white, raised=0.25, grain=0.012)
    slot = Piece(_box(0, 0, 0.36, 0.62, 0.04), (0, 0), dark, raised=-0.3, grain=0.012)
    pins = [
        Piece(_box(down, right, 0.09, 0.05, 0.02), (down, right), gold, True, 0.3)
        for down in (-0.17, 0.17)
        for right in np.linspace(-0.48, 0.48, 5)
    ]
    latch = Piece(_box(-0.53, 0.0, 0.06, 0.16), (-0.55, 0), (0.76, 0.76, 0.74), True, 0.2)
    return Kind((0.30, 0.42, 0.58), [latch, body, slot, *pins])


KINDS = {"nut": _nut, "gear": _gear, "capsule": _capsule, "board": _board, "plug": _plug}


def _object(name: str, rng: np.random.Generator, defect: str) -> tuple[Field, Mask]:
    kind = KINDS[name]()
    down, right = _grid()
    turn = rng.normal(0, 0.05)
    size = rng.normal(1, 0.012)
    shift = rng.uniform(-0.06, 0.06, 2)
    v, u = _turned((down - shift[0]) / size, (right - shift[1]) / size, turn)
    pieces = list(kind.pieces)
    wrong = np.zeros((SIDE, SIDE), bool)
    loose = [k for k, piece in enumerate(pieces) if piece.loose]
    if defect == "missing part":
        gone = pieces.pop(int(rng.choice(loose)))
        wrong = gone.distance(v, u) < 0
        if name == "gear":  # what lies under the wheel is not seen
            rest = [piece.distance(v, u) for piece in pieces if piece.colour == gone.colour]
            wrong &= np.min(rest, axis=0) > 0 if rest and gone.raised > 0 else True
    if defect == "misplaced part":
        k = int(rng.choice(loose))
        way = rng.uniform(0, 2 * np.pi)
        far = rng.uniform(0.07, 0.14)
        moved = pieces[k].moved(far * np.sin(way), far * np.cos(way))
        before, after = pieces[k].distance(v, u) < 0, moved.distance(v, u) < 0
        wrong = before ^ after
        pieces[k] = moved
    body_colour = _colour_of_material(kind, rng)
    shifted = int(rng.integers(len(pieces))) if defect == "colour shift" else -1
    scene = _ground(kind, rng)
    inside = np.zeros((SIDE, SIDE), bool)
    soft = _blurred(np.clip(0.5 - pieces[0].distance(v - 0.04, u - 0.04) * SIDE / 4, 0, 1), 3)
    scene *= 1 - 0.25 * soft[..., None]  # the shadow
    for k, piece in enumerate(pieces):
        away = piece.distance(v, u) * SIDE / 2 * size  # in pixels
        cover = np.clip(0.5 - away, 0, 1)
        colour = np.array(piece.colour) * body_colour
        if k == shifted:
            colour = _other_colour(colour, rng)
        surface = np.broadcast_to(colour, (SIDE, SIDE, 3))
        surface = surface * (1 + piece.grain * _noise(rng, 3.0))[..., None]
        surface = surface + (piece.raised * _edge_light(away))[..., None]
        scene = _laid(scene, surface, cover)
        inside |= away < 0
        if shifted >= 0:
            wrong = (wrong & (away >= 0)) | (away < 0 if k == shifted else False)
    if defect in ("scratch", "hole", "stain"):
        return _damaged(scene, inside, rng, defect)
    return scene, np.asarray(wrong)


def _colour_of_material(kind: Kind, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How one batch of material differs from the next."""
    return 1 + rng.normal(0, 0.012, 3) + rng.normal(0, 0.02)


def _ground(kind: Kind, rng: np.random.Generator) -> Field:
    shade = 1 + 0.02 * _noise(rng, 20.0) + 0.012 * _noise(rng, 2.0)
    return np.asarray(np.array(kind.ground) * shade[..., None])


def _edge_light(away: Field) -> Field:
    """How much brighter an edge is that lies towards the light, above and to the left."""
    down, right = np.gradient(away)
    length = np.hypot(down, right) + 1e-9
    facing = -(down + right) / length / np.sqrt(2)
    return np.asarray(facing * np.exp(-np.abs(away) / 2.0))


def _other_colour(colour: npt.NDArray[np.float64], rng: np.random.Generator) -> Field:
    """The same colour turned towards another hue, and a little darker or lighter."""
    while True:
        change = rng.normal(0, 1, 3)
        change *= rng.uniform(0.10, 0.20) / np.linalg.norm(change)
        other = colour + change
        grey = abs(change.mean()) / np.linalg.norm(change)
        if grey < 0.5 and other.min() > 0.02 and other.max() < 0.98:
            return np.asarray(other)


# ---------------------------------------------------------------------------- textures


def _texture(name: str, rng: np.random.Generator, defect: str) -> tuple[Field, Mask]:
    scene = SURFACES[name](rng, 1.0, 0.0)
    everywhere = np.ones((SIDE, SIDE), bool)
    if defect in ("scratch", "hole", "stain"):
        return _damaged(scene, everywhere, rng, defect)
    if not defect:
        return scene, ~everywhere
    part = _spot(rng, everywhere, rng.uniform(7, 15))
    if defect == "missing part":  # worn off: no grain is left
        flat = np.stack([_blurred(scene[..., c], 8.0) for c in range(3)], axis=-1)
        other = flat * (1 + rng.choice([-1, 1]) * rng.uniform(0.05, 0.12))
        other = other * (1 + 0.02 * _noise(rng, 3.0))[..., None]
    elif defect == "misplaced part":  # a patch of the same, laid in askew and of coarser grain
        other = SURFACES[name](rng, rng.uniform(1.5, 2.0), rng.uniform(0.5, 1.1))
        seam = 4 * part * (1 - part) + (_blurred(part, 1.0) - part).clip(0)
        scene = scene * (1 - rng.uniform(0.2, 0.4) * seam.clip(0, 1))[..., None]
        other = other * (1 - rng.uniform(0.2, 0.4) * seam.clip(0, 1))[..., None]
    else:
        middle = scene.mean(axis=(0, 1))
        other = scene + (_other_colour(middle, rng) - middle)
    return _laid(scene, np.asarray(other), part), part > 0.4


def _weave(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Threads that go over and under each other."""
    down, right = _grid()
    turn = turn + rng.normal(0, 0.03)
    bend = 0.02 * _noise(rng, 60.0, 3.0)
    v, u = _turned(down + bend, right + bend, turn)
    count = 13 * rng.normal(1, 0.01) / scale
    rows, cols = v * count + rng.uniform(0, 2), u * count + rng.uniform(0, 2)
    is_over = (np.floor(rows) + np.floor(cols)) % 2 < 1
    round_rows, round_cols = np.sin(np.pi * (rows % 1)), np.sin(np.pi * (cols % 1))
    height = np.where(
        is_over, round_rows * (0.6 + 0.4 * round_cols), round_cols * (0.6 + 0.4 * round_rows)
    )
    fibre = np.where(is_over, _noise(rng, 5.0, 1.5, 5.0), _noise(rng, 5.0, 1.5, 5.0, np.pi / 2))
    shade = 0.15 + 0.75 * height + 0.09 * fibre
    warp = _coloured(shade, (0.16, 0.20, 0.32), (0.50, 0.58, 0.74))
    weft = _coloured(shade, (0.22, 0.22, 0.26), (0.66, 0.66, 0.68))
    return np.where(is_over[..., None], warp, weft)


def _wood(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Rings cut along, and fibres."""
    down, right = _grid()
    turn = turn + rng.normal(0, 0.03)
    v, _ = _turned(down, right, turn)
    wave = v * 7 / scale + 0.35 * _noise(rng, 90 * scale, 3.5, 3.0, turn) + rng.uniform(0, 9)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (wave + 0.15 * np.sin(2 * np.pi * wave)))
    fibre = _noise(rng, 6 * scale, 1.6, 10.0, turn)
    return _coloured(0.35 + 0.4 * rings + 0.13 * fibre, (0.42, 0.26, 0.13), (0.80, 0.61, 0.38))


def _terrazzo(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Chips of stone in cement."""
    scene = np.array([0.74, 0.72, 0.68]) * (1 + 0.02 * _noise(rng, 3.0))[..., None]
    for colour in ((0.45, 0.44, 0.44), (0.58, 0.42, 0.34), (0.90, 0.89, 0.86)):
        height = _noise(rng, 9.0 * scale, 4.0)
        chips = np.clip((height - 1.15) * 8, 0, 1)
        scene = _laid(scene, np.array(colour) * (1 + 0.03 * _noise(rng, 2.0))[..., None], chips)
    return scene


def _leather(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Cells of a grown skin, and the creases between them."""
    step = 8.0 * scale
    line = np.arange(-step, SIDE + 2 * step, step)
    seeds = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    seeds = seeds + rng.uniform(-0.45, 0.45, seeds.shape) * step
    place = np.arange(SIDE)
    square = (place[:, None, None] - seeds[:, 0]) ** 2 + (place[None, :, None] - seeds[:, 1]) ** 2
    nearest = np.sqrt(np.partition(square, 1, axis=2)[..., :2])
    crease = np.clip((nearest[..., 1] - nearest[..., 0]) / 3.0, 0, 1)
    shade = 0.25 + 0.55 * crease + 0.07 * _noise(rng, 3.0) + 0.05 * _noise(rng, 40.0)
    return _coloured(shade, (0.20, 0.10, 0.06), (0.52, 0.30, 0.18))


def _carpet(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """A pile in rows."""
    down, right = _grid()
    turn = turn + rng.normal(0, 0.03)
    v, _ = _turned(down, right, turn)
    rows = 0.5 + 0.5 * np.sin(2 * np.pi * (v * 11 / scale + rng.uniform(0, 1)))
    pile = _noise(rng, 2.5 * scale, 1.2)
    shade = 0.45 + 0.16 * (rows - 0.5) + 0.15 * pile + 0.04 * _noise(rng, 50.0)
    return _coloured(shade, (0.20, 0.24, 0.22), (0.66, 0.68, 0.62))


def _mesh(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Wires that cross, before a dark ground."""
    down, right = _grid()
    v, u = _turned(down, right, turn + np.pi / 4 + rng.normal(0, 0.03))
    count = 6.5 * rng.normal(1, 0.01) / scale
    shade = 0.12 + 0.03 * _noise(rng, 12.0)
    for line in (v * count + rng.uniform(0, 1), u * count + rng.uniform(0, 1)):
        off = np.abs(line % 1 - 0.5) / 0.14
        wire = np.clip(1.6 * (1 - off), 0, 1)
        shade = shade * (1 - wire) + wire * (0.35 + 0.5 * np.sqrt(np.clip(1 - off**2, 0, 1)))
    return _coloured(shade + 0.02 * _noise(rng, 2.0), (0.05, 0.06, 0.08), (0.85, 0.84, 0.80))


def _brushed(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Metal brushed along one direction."""
    turn = turn + rng.normal(0, 0.03)
    lines = _noise(rng, 4.0 * scale, 1.3, 25.0, turn)
    shade = 0.55 + 0.13 * lines + 0.05 * _noise(rng, 70.0, 3.0)
    return _coloured(shade, (0.30, 0.31, 0.33), (0.82, 0.83, 0.85))


def _marble(rng: np.random.Generator, scale: float, turn: float) -> Field:
    """Veins in a cloudy stone."""
    cloud = _noise(rng, 45 * scale, 2.6)
    veins = np.abs(_noise(rng, 60 * scale, 2.8) + 0.15 * _noise(rng, 12.0 * scale, 2.0))
    shade = 0.75 + 0.09 * cloud - 0.38 * np.exp(-veins / 0.07) + 0.03 * _noise(rng, 3.0)
    return _coloured(shade, (0.36, 0.38, 0.40), (0.92, 0.91, 0.89))


SURFACES = {
    "weave": _weave, "wood": _wood, "terrazzo": _terrazzo, "leather": _leather,
    "carpet": _carpet, "mesh": _mesh, "brushed": _brushed, "marble": _marble,
}  # fmt: skip


# ---------------------------------------------------------------------------- damage


def _damaged(
    scene: Field, inside: Mask, rng: np.random.Generator, defect: str
) -> tuple[Field, Mask]:
    """The scene with a scratch, a hole or a stain on what is inside."""
    if defect == "scratch":
        part = _scratch(rng, inside)
        gloss = rng.choice([-1, 1]) * rng.uniform(0.12, 0.28)
        return scene + gloss * part[..., None], part > 0.4
    if defect == "hole":
        part = _spot(rng, inside, rng.uniform(2.5, 7.0))
        rim = np.clip(_blurred(part, 1.5) - part, 0, 1)
        depth = scene.mean(axis=(0, 1)) * 0.15 + 0.02 * _noise(rng, 4.0)[..., None]
        broken = _laid(scene, depth, part)
        return broken + 0.25 * rim[..., None], part > 0.4
    part = _spot(rng, inside, rng.uniform(6, 14)) * rng.uniform(0.22, 0.5)
    dirt = np.array([0.30, 0.22, 0.10]) + rng.normal(0, 0.05, 3)
    if rng.random() < 0.3:
        dirt = dirt + 0.45
    shown = _laid(scene, np.broadcast_to(dirt, scene.shape), np.asarray(part))
    return shown, part > 0.4 * part.max()


def _somewhere(rng: np.random.Generator, inside: Mask) -> tuple[int, int]:
    """A pixel inside, not at the edge of the picture."""
    rows, cols = np.nonzero(inside[8:-8, 8:-8])
    k = int(rng.integers(len(rows)))
    return int(rows[k]) + 8, int(cols[k]) + 8


def _spot(rng: np.random.Generator, inside: Mask, radius: float) -> Field:
    """A spot without a regular edge, 0 .. 1, as far as it lies inside."""
    row, col = _somewhere(rng, inside)
    place = np.arange(SIDE)
    dy, dx = np.meshgrid(place - row, place - col, indexing="ij")
    longer = rng.uniform(1.0, 1.5)
    y, x = _turned(dy.astype(float), dx.astype(float), rng.uniform(0, np.pi))
    away = np.hypot(y * longer, x / longer) - radius * (1 + 0.18 * _noise(rng, 25.0, 3.0))
    part = np.clip(0.5 - away / 1.5, 0, 1)
    return np.asarray(part * inside)


def _scratch(rng: np.random.Generator, inside: Mask) -> Field:
    """A thin curve, 0 .. 1, as far as it lies inside."""
    row, col = _somewhere(rng, inside)
    length, width = rng.uniform(18, 55), rng.uniform(0.7, 1.4)
    way = rng.uniform(0, 2 * np.pi)
    bend = rng.normal(0, 0.02)
    steps = np.arange(0, length, 0.5) - length / 2
    turn = way + bend * steps
    rows, cols = row + np.cumsum(np.sin(turn)) * 0.5, col + np.cumsum(np.cos(turn)) * 0.5
    rows, cols = rows - rows.mean() + row, cols - cols.mean() + col
    place = np.arange(SIDE)
    square = (place[:, None, None] - rows) ** 2 + (place[None, :, None] - cols) ** 2
    taper = width * np.sqrt(1 - (np.abs(steps) / (length / 2 + 1)) ** 2)
    away = (np.sqrt(square) - taper).min(axis=2)
    return np.asarray(np.clip(0.5 - away, 0, 1) * inside)


def main() -> None:
    """Write sheets: ordinary pictures above, below them two of each defect and their masks."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    for name in (*OBJECTS, *TEXTURES, *KEPT_TEXTURES):
        rng = np.random.default_rng(options.seed)
        plain = [picture(name, rng)[0] for _ in range(12)]
        broken = [picture(name, rng, defect) for defect in DEFECTS for _ in range(2)]
        masks = [np.repeat(m[..., None], 3, axis=2).astype(np.uint8) * 255 for _, m in broken]
        rows = [plain, [shown for shown, _ in broken], masks]
        sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
        Image.fromarray(sheet).save(options.folder / f"{name}.png")


if __name__ == "__main__":
    main()
