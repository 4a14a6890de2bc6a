"""Whether the first record of a table holds the names of its columns, and whether records below it
hold units."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aetool.csv import cells

LEAST_YEARS = 3  # in a first record, beside words of which each is another, for these to be names
LEAST_BELOW = 3  # records under lines that are none, so that these are taken for such
MOSTLY = 0.8  # of a column's cells, gaps apart, are figures: then the column is one of figures
YEARS = range(1500, 2200)
NUMBER_CHARACTERS = frozenset("0123456789+-.,'eE ")

Record = Sequence[str]


class Written(NamedTuple):
    """A cell of text as it stands in a file. text: its text without quotes; quoted: whether it has
    quotes there."""

    text: str
    quoted: bool


def has_header(first: Record, body: Sequence[Record], otherwise: bool = True) -> bool:
    """Whether the first record holds names: words over figures, or words that the columns do not
    have below. body: records below the first. otherwise: what to return where neither tells.

    Figures over figures are a record; but years, or numbers in sequence, beside a name are names. A
    record with nothing but figures and gaps is no header. With no record below, the first record is
    a header if `otherwise` is True and less than half of its cells, gaps apart, are figures.
    """
    first_values = without_gaps(first)
    figures = [cell for cell in first_values if cells.is_figure(cell)]
    # nothing but figures and gaps: a record
    if len(figures) == len(first_values) and first:
        return False
    # nothing below it to be compared with
    if not body:
        return otherwise and 2 * len(figures) < len(first_values)
    # a header may be written again, where files were joined, which says nothing of levels
    records_below = [record for record in body if list(record) != list(first)]
    signs = _signs_of_header(first, records_below)
    # years across, as of a table of countries: `country,2001,2002`
    if signs.figures_over and not signs.repeated:
        is_named = signs.fresh or signs.names_over
        if is_named and _are_in_sequence(figures):
            return True
        # of a column in which each word is another one neither tells, and some years are left out
        if _names_years(first, figures, records_below):
            return True
    # columns of figures say most; where as many of them say each, and where there are none, columns
    # of words do
    if signs.figures_over or signs.names_over:
        if signs.names_over == signs.figures_over:
            return signs.fresh >= signs.repeated
        return signs.names_over > signs.figures_over
    if signs.fresh or signs.repeated:
        return signs.fresh >= signs.repeated
    return otherwise


@dataclass
class _Signs:
    """Counts of columns that speak for and against a header. Of figures: those whose first cell is
    a name (names_over) or a figure (figures_over); of words: those whose first cell does not come
    again below (fresh) or does (repeated)."""

    names_over: int = 0
    figures_over: int = 0
    fresh: int = 0
    repeated: int = 0

    def word(self, is_repeated: bool) -> None:
        """Count the first cell of a column of words in `repeated` or in `fresh`. is_repeated:
        whether it comes again below."""
        self.repeated += is_repeated
        self.fresh += not is_repeated


def _signs_of_header(first: Record, under: Sequence[Record]) -> _Signs:
    """Judge each cell of the first record, gaps apart, by its column in the records under it;
    returns the counts: of columns of figures under a name or under a figure, and of columns of
    words whose first cell comes again or does not. What tells nothing is not counted."""
    signs = _Signs()
    for place, cell in enumerate(first):
        if cells.is_gap(cell):
            continue
        if is_column_of_figures(under, place):
            # `<$10k` is a figure, but over plain numbers it names them
            is_record = cells.is_figure(cell) and not _stands_out(cell, under, place)
            signs.figures_over += is_record
            signs.names_over += not is_record
            continue
        column = column_of(under, place)
        levels = set(column)
        most_levels = max(1, len(column) // 2)
        # only of levels that come again and again it says something that one is not among them
        if len(levels) <= most_levels:
            signs.word(cell in levels)
            continue
        shapes = {cells.shape_of(level) for level in levels}
        have_digits = any("0" in shape for shape in shapes)
        # where each is another word, g1, g2 ..., their shape tells
        if len(shapes) <= most_levels and have_digits:
            signs.word(cells.shape_of(cell) in shapes)
    return signs


def column_of(records: Sequence[Record], place: int) -> list[str]:
    """The cells of a column, those of shorter records left out. place: its number, from 0."""
    return [record[place] for record in records if place < len(record)]


def without_gaps(column: Sequence[str]) -> list[str]:
    """Return the cells of a column, or of a record, that hold a value: gaps, such as NA, are left
    out."""
    return [cell for cell in column if not cells.is_gap(cell)]


def is_quoted_otherwise(
    first: Sequence[Written],
    body: Sequence[Sequence[Written]],
    delimiter: str,
) -> bool:
    """Whether the first record is quoted as no other is, as names are and records are not.

    Either all of it is, and half of the columns never are; or nothing is, and half of the columns
    always are. Cells with the delimiter in them have to be quoted, which says less: a column with
    such cells does not count below an unquoted first record, and neither does one of fewer than
    three cells; and a quoted first record must have a cell without the delimiter, or three cells
    that are no numbers. body: the records below the first. Gaps do not count; False if the first
    record has nothing else, or none follows.
    """
    filled = [cell for cell in first if not cells.is_gap(cell.text)]
    if not filled or not body:
        return False
    # names and records differ as a whole: a record quoted in part is quoted by what its cells hold
    ways_of_quoting = {cell.quoted for cell in filled}
    if len(ways_of_quoting) > 1:
        return False
    first_is_quoted = filled[0].quoted
    if first_is_quoted and not _are_quoted_as_names(filled, delimiter):
        return False
    width = max(map(len, body))
    differing_columns = 0
    for place in range(width):
        column = [record[place] for record in body if place < len(record)]
        below = [cell for cell in column if not cells.is_gap(cell.text)]
        is_alike = any(cell.quoted == first_is_quoted for cell in below)
        if not below or is_alike:
            continue
        has_to = any(delimiter in cell.text for cell in below)
        says_enough = len(below) >= LEAST_BELOW and not has_to
        differing_columns += first_is_quoted or says_enough
    return 2 * differing_columns >= width


def _are_quoted_as_names(header_cells: Sequence[Written], delimiter: str) -> bool:
    """Whether these cells, all quoted, may be quoted because they are names: at least one has no
    delimiter in it, and so need not be quoted, or at least LEAST_BELOW (3) are no numbers."""
    if any(delimiter not in cell.text for cell in header_cells):
        return True
    others = [cell for cell in header_cells if set(cell.text) - NUMBER_CHARACTERS]
    return len(others) >= LEAST_BELOW


def is_column_of_figures(records: Sequence[Record], place: int) -> bool:
    """Whether at least 80 % of the cells of a column that hold a value are figures; False if no
    cell does. place: the number of the column, from 0."""
    filled = without_gaps(column_of(records, place))
    figures = sum(map(cells.is_figure, filled))
    return bool(filled) and figures >= MOSTLY * len(filled)


def _stands_out(cell: str, records: Sequence[Record], place: int) -> bool:
    """Whether a cell of the first record looks like a name: it is no plain number, and all other
    cells of its column are plain numbers or gaps. place: the index of the column."""
    if cells.is_plain_number(cell):
        return False
    filled = without_gaps(column_of(records, place))
    return all(map(cells.is_plain_number, filled))


def _are_in_sequence(figures: Record) -> bool:
    """Whether the cells, two or more, are whole numbers at equal steps: years from 1500 to 2199, or
    at least three numbers each of which is one more, or each one less, than the one before."""
    are_whole = all(figure.strip().isdecimal() for figure in figures)
    if not are_whole:
        return False
    numbers = [int(figure) for figure in figures]
    steps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    if len(steps) != 1:
        return False
    if all(number in YEARS for number in numbers):
        return True
    return len(numbers) > 2 and steps <= {1, -1}


def _names_years(first: Record, figures: Record, under: Sequence[Record]) -> bool:
    """Whether the first record names columns by years: its figures are three years at least, each
    later than the one before, and its words, one at least, come in none of their columns below.

    False for fewer than three records under it, and where the figures of one in ten of these, or
    more, are such rising years, too. figures: the cells of `first` that are figures.
    """
    if not _are_rising_years(figures) or len(under) < LEAST_BELOW:
        return False
    words = []
    for place, cell in enumerate(first):
        if not cells.is_gap(cell) and not cells.is_figure(cell):
            words.append(cell not in column_of(under, place))
    if not words or not all(words):
        return False
    alike = 0
    for record in under:
        alike += _are_rising_years([cell for cell in record if cells.is_figure(cell)])
    return 10 * alike < len(under)


def _are_rising_years(figures: Record) -> bool:
    """Whether these cells are years, three at least, each later than the one before."""
    are_whole = all(figure.strip().isdecimal() for figure in figures)
    if len(figures) < LEAST_YEARS or not are_whole:
        return False
    numbers = [int(figure) for figure in figures]
    is_rising = all(later > earlier for earlier, later in itertools.pairwise(numbers))
    return is_rising and all(number in YEARS for number in numbers)


def below_header(body: list[list[str]]) -> int:
    """How many records directly below the header, from the first on, are no data but units (one
    record at most) or drawn lines. body: the records below the header."""
    count = 0
    while body[count:] and cells.is_ruler(body[count]):
        count += 1
    following = body[count + 1 :]
    if body[count:] and _are_units(body[count], following):
        count += 1
        while body[count:] and cells.is_ruler(body[count]):
            count += 1
    return count


def is_named_again(body: Sequence[Record]) -> bool:
    """Whether the first record of a body looks like a second line of names, under names of groups:
    words, not all the same, over all columns of nothing but figures, which are two at least, and at
    least half of all columns. False for three records or fewer. body: those below the header."""
    if len(body) <= LEAST_BELOW:
        return False
    first = body[0]
    under = body[1:]
    over_figures = []
    for place, cell in enumerate(first):
        column = column_of(under, place)
        filled = without_gaps(column)
        if filled and all(map(cells.is_figure, filled)):
            over_figures.append(cell)
    # one word alone may be what somebody wrote into a cell
    fewest = max(2, len(first) / 2)
    if len(over_figures) < fewest:
        return False
    are_words = not any(cells.is_gap(cell) or cells.is_figure(cell) for cell in over_figures)
    # a device that fails writes the same everywhere
    return are_words and len(set(over_figures)) > 1


def _are_units(record: Record, records_below: Sequence[Record]) -> bool:
    """Whether the record holds units: over at least half of the columns of figures something that
    may be a unit, of which at least half are units for certain, and nothing else over the others. A
    single letter is not enough, and neither are fewer than two records below. records_below: the
    records below it."""
    if len(records_below) < 2:
        return False
    over_figures = []
    for place, cell in enumerate(record):
        if is_column_of_figures(records_below, place):
            over_figures.append(cell.strip())
    unit_cells = []
    for cell in over_figures:
        # some units are written like gaps
        if cells.is_certain_unit(cell) or not cells.is_gap(cell):
            unit_cells.append(cell)
    # all may be units by their form, and none is a figure
    if not unit_cells or not all(map(cells.is_unit, unit_cells)):
        return False
    if any(map(cells.is_figure, unit_cells)):
        return False
    # any word might be one: some must be certain, and a letter by itself is a level as well
    is_letter = len(unit_cells[0]) == 1 and unit_cells[0].isalpha()
    if len(unit_cells) == 1 and is_letter:
        return False
    certain = sum(map(cells.is_certain_unit, unit_cells))
    mostly_certain = 2 * certain >= len(unit_cells)
    return mostly_certain and 2 * len(unit_cells) >= len(over_figures)
