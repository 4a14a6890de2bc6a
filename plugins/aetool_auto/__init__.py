"""Models that err on different records, joined: what fits most data without a knob."""

from __future__ import annotations

from collections.abc import Iterable

from aetool import Member, Model, hookimpl

DEEP = {"latent": 64, "width": 128, "mask": 0.0, "scale": "shared"}
# of the pictures remembered, those farthest from others are left out
WITHOUT_FARTHEST = {"trim": 0.2}
# also what is far out in the user's own units, and what is odd in a few columns alone; not among
# rows of which some may be anomalies, for the gain is known of ordinary rows alone
MORE_MEASURES = {"own_units": True, "halves": True}
ROBUST = frozenset({"robust"})
BOTH = ROBUST | {"plain"}
ROBUST_OR_CONTEXT = ROBUST | {"context"}
TABLES = frozenset({"table"})
# pictures
IMAGES = frozenset({"image"})
DEPENDENT = 256  # features whose dependences are counted pair by pair
SMALL = 3 * 32 * 32  # features of a small picture


@hookimpl
def aetool_models() -> Iterable[Model]:
    """Declare `auto`, which joins its members; those that do not suit the data, the time or the
    kind of fit are left out, and the first that is fitted also gives the code."""
    yield Model(
        "auto",
        "several models joined: columns that contradict each other, records far from all others, "
        "records that a wide denoising autoencoder cannot restore, rare values and values far out",
        members=(
            # one number far from what others foretell is far from all rows, too; words that do not
            # go together are not, as each of them is of the same weight as all that go together
            Member("pca", data=TABLES, words=False),
            Member("pca", data=TABLES, words=True, weight=2.0),
            # of rows with anomalies among them a linear model is the steadiest
            Member("pca", data=TABLES, fits=ROBUST_OR_CONTEXT, withstands=True, weight=2.0),
            # of pictures it gives the code, and what is expected; large ones take it long
            Member("pca", data=IMAGES, seconds=5.0, weight=0.05),
            # pictures are alike as a whole, or each place of them is like that of others; of large
            # ones the whole adds little but chance, and tells another kind of thing
            Member("views", data=IMAGES, in_bits=True, weight=4.0, most=SMALL),
            Member("views", data=IMAGES, in_bits=True, weight=0.2, least=SMALL + 1),
            # anomalies among those remembered would vouch for their like: small pictures first,
            # then large ones
            Member(
                "views",
                WITHOUT_FARTHEST,
                data=IMAGES,
                fits=ROBUST,
                in_bits=True,
                weight=4.0,
                most=SMALL,
            ),
            Member(
                "views",
                WITHOUT_FARTHEST,
                data=IMAGES,
                fits=ROBUST,
                in_bits=True,
                weight=0.2,
                least=SMALL + 1,
            ),
            # small ones have few places, and what they show is told as a whole
            Member("patches", data=IMAGES, fits=BOTH, in_bits=True, weight=0.5, most=SMALL),
            Member("patches", data=IMAGES, fits=BOTH, in_bits=True, weight=4.0, least=SMALL + 1),
            # stone is alike everywhere and nowhere the same: the same place of other pictures tells
            # little of it; of pictures of things, whose places differ, its bits are few
            Member(
                "surface",
                data=IMAGES,
                fits=BOTH,
                in_bits=True,
                weight=8.0,
                least=SMALL + 1,
            ),
            Member("neighbours", MORE_MEASURES, data=TABLES, in_bits=True, weight=3.0),
            # its own bits are those of the rows that were kept, and rows that were not lie beyond
            Member("neighbours", data=TABLES, fits=ROBUST, weight=3.0),
            Member("elm", {"latent": 128}, data=TABLES, weight=0.05),
            # a single cell far out is lost among the many cells that the others add up
            Member(
                "tails",
                data=TABLES,
                fits=BOTH,
                withstands=True,
                in_bits=True,
            ),
            Member(
                "histogram",
                data=TABLES,
                fits=BOTH,
                withstands=True,
                weight=0.25,
            ),
            # the nearest row of an anomaly may be another one, and what learns a manifold learns
            # theirs: small samples hold few of them
            Member(
                "trees",
                data=TABLES,
                fits=ROBUST,
                withstands=True,
                weight=2.0,
            ),
            # rows that are alone by the ranks of their numbers, chosen on tables without words, and
            # values that do not go together
            Member(
                "ranks",
                data=TABLES,
                in_bits=True,
                weight=0.6,
                words=False,
            ),
            Member(
                "dependence",
                # how far out numbers lie the others tell
                {"widths": False},
                data=TABLES,
                adds_bits=True,
                weight=0.3,
                most=DEPENDENT,
            ),
            Member("denoising", DEEP, data=TABLES, seconds=30.0),
        ),
    )
