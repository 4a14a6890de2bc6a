"""Findings as one HTML page that needs no network, no font and no other file.

Everything that comes from data is escaped, and cut where it is long; lists end where their share of
the page's bytes does, and say how much is left out.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from aetool.detection.calibration import Calibration
from aetool.detection.shifts import BROKEN, SAME, UNKNOWN, Comparison
from aetool.report import charts, strips
from aetool.report.findings import ColumnRead, Curves, Finding, Findings, Group, Reason
from aetool.report.svg import DARK, LIGHT, RULES, Drawing, amount, text_of, variables
from aetool.spelling import option

ABOVE = "above the threshold"  # what stands out where a threshold parts it
MOST_BYTES = 2_000_000  # of a page, whatever the data
# bytes of each list of a page; together they leave room for the drawings
RECORDS, COLUMNS, GROUPS, SHIFTS, PICTURES = 620_000, 420_000, 60_000, 100_000, 620_000
LONGEST = 120  # characters of a cell; what is longer is cut
SINGLE = 310  # records that are drawn one by one, however narrow the window
MOST_GROUPS, MOST_BLAMED = 20, 20
MOST_UNREAD = 50  # pictures that cannot be read are named
FONT_OF_PAPER = "@media print{:root{%s}}"

Cell = tuple[str, str]  # what stands in a cell of a table: attributes, and markup


def page(findings: Findings) -> bytes:
    """The HTML page of the findings, UTF-8 bytes, at most MOST_BYTES (2,000,000) of them: lists end
    where their share of these does."""
    with_markup = _findings_with_room(findings)
    records = [finding.record for finding, _ in with_markup]
    sections = [
        _heading(findings),
        _section_of_scores(findings, records),
        _section_of_curves(findings.curves) if findings.curves else "",
        _section_of_records(findings, [markup for _, markup in with_markup]),
        _section_of_groups(findings.groups, set(records)),
        _section_of_blamed_columns(findings),
        _section_of_comparison(findings.comparison) if findings.comparison else "",
        _section_of_columns(findings),
    ]
    style = _style()
    script = _read("page.js")
    # nothing may be loaded, and nothing run but this style and this script
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = text_of(_cut(findings.name))
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style>"
    )
    body = "\n".join(section for section in sections if section)
    markup = (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n'
        f"</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )
    return markup.encode()


def _style() -> str:
    """The CSS rules of the page and of its drawings, light or dark, and light in print."""
    # the same names of colours in both, so that a drawing follows the page
    light = variables(LIGHT)
    dark = variables(DARK)
    colours = f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return f"{colours}{FONT_OF_PAPER % light}\n{RULES}\n{_read('page.css')}"


def _read(name: str) -> str:
    """The text of a file that lies beside this one, such as page.css."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash by which a content security policy allows an inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


# ---- small pieces


def _cut(text: str) -> str:
    """The first LONGEST (120) characters of a text, with an ellipsis as one more where anything was
    cut; a word may be cut in two."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\N{HORIZONTAL ELLIPSIS}"


def _safe_text(words: str) -> str:
    """Make text from the data safe for HTML: cut as `_cut` does, to 120 characters and an ellipsis,
    escaped, and its writing direction isolated."""
    return f"<bdi>{text_of(_cut(words))}</bdi>"


def _number(value: float) -> str:
    """A number as text, for people."""
    return amount(value)


def _number_cell(value: float, words: str = "") -> Cell:
    """A table cell that shows `words`, which are markup, or, where they are "", the number itself,
    and is sorted by the number, to 7 digits."""
    # what is seen may be rounded or have a unit: sorting goes by this
    sorted_by = repr(float(f"{value:.7g}")).removesuffix(".0")
    return f' class="n" data-v="{sorted_by}"', words or _number(value)


def _text_cell(markup: str) -> Cell:
    """A table cell of this markup, without attributes."""
    return "", markup


def _table_row(cells: Sequence[Cell], name: str = "") -> str:
    """The HTML of a row of a table. cells: (attributes, markup) each. name: the id by which links
    find it; "" for none."""
    opened = f'<tr id="{name}">' if name else "<tr>"
    return opened + "".join(f"<td{kind}>{markup}</td>" for kind, markup in cells) + "</tr>"


def _with_room(pieces: Iterable[str], most_bytes: int) -> list[str]:
    """The first of the pieces of HTML, as many as take at most `most_bytes` bytes of UTF-8
    together; none behind the first that does not fit."""
    fitting_pieces = []
    bytes_left = most_bytes
    for piece in pieces:
        # bytes, as the page is as long as its bytes are
        bytes_left -= len(piece.encode())
        if bytes_left < 0:
            break
        fitting_pieces.append(piece)
    return fitting_pieces


def _table(
    headings: Sequence[str], rows: Iterable[str], most_bytes: int, total: int, kind: str
) -> str:
    """The HTML of a table of the first rows, as many as take at most `most_bytes` bytes together,
    and, if not all of the `total` things of this kind are shown, of a line that says how many are
    left out. rows: HTML, each from `_table_row`. headings: one that begins with # is of a column of
    numbers. kind: what stands there behind "more", such as "groups"."""
    rows_with_room = _with_room(rows, most_bytes)
    head = "".join(
        f'<th class="n">{heading[1:]}</th>' if heading.startswith("#") else f"<th>{heading}</th>"
        for heading in headings
    )
    rows_left_out = total - len(rows_with_room)
    more = f'<p class="quiet">and {rows_left_out:,} more {kind}</p>' if rows_left_out > 0 else ""
    return (
        f'<div class="wide-table"><table class="sorted"><thead><tr>{head}</tr></thead>\n<tbody>'
        f"{chr(10).join(rows_with_room)}</tbody></table></div>{more}"
    )


def _in_two_widths(wide: Drawing, narrow: Drawing) -> str:
    """The HTML of a drawing in two widths, for wide and narrow windows; the page shows the one that
    fits."""
    return wide.inline("wide") + narrow.inline("narrow")


def place_of(record: int) -> str:
    """The id of a record's entry in the page, for links to it, such as "r1". record: its number
    from 0."""
    return f"r{record + 1}"


# ---- sections


def _heading(findings: Findings) -> str:
    """The HTML of the heading of the page: the name of the data, the verdict, how many records
    there are, what scored them, above which score a record is an anomaly (unless none is, or
    records were flagged by rank), which pictures could not be read, and, where the data were
    compared with those that the model was fitted on, the result of that."""
    facts = f"{findings.total:,} {_pictures_or_records(findings)}; {findings.model}"
    # a number that was asked for leads to a score, which says nothing of other records
    if math.isfinite(findings.threshold) and not findings.is_by_rank:
        facts += f"; an anomaly scores above {amount(findings.threshold)} {findings.unit}"
    word = ""
    if findings.comparison:
        word = f"<p>{_result_of_comparison(findings.comparison)}</p>"
    return (
        f"<h1>{_safe_text(findings.name)}</h1>\n"
        f'<p class="verdict">{text_of(findings.verdict())}</p>\n'
        f'<p class="quiet">{text_of(facts)}.</p>\n{_line_of_unread(findings.unread)}{word}'
    )


def _line_of_unread(pictures: Sequence[tuple[str, str]]) -> str:
    """The HTML of a line that names the pictures that could not be read, and why; "" without any.
    pictures: (name, why) of each, of which the first MOST_UNREAD (50) are named."""
    if not pictures:
        return ""
    count = "1 more picture" if len(pictures) == 1 else f"{len(pictures):,} more pictures"
    listed = [f"{_safe_text(name)} ({_safe_text(why)})" for name, why in pictures[:MOST_UNREAD]]
    unnamed = len(pictures) - len(listed)
    if unnamed:
        listed.append(f"and {unnamed:,} others")
    return f"<p>{count} could not be read: {', '.join(listed)}.</p>\n"


def _pictures_or_records(findings: Findings) -> str:
    """What messages call the records: "pictures" or "records"."""
    return "pictures" if findings.pictures else "records"


def _result_of_comparison(comparison: Comparison) -> str:
    """The HTML of the result of a comparison: a marked word, and a sentence that explains it."""
    said = {
        SAME: "These data are like those that the model was fitted on.",
        UNKNOWN: f"Whether these data are like those before: {comparison.few}.",
        BROKEN: "These data cannot be what the model was fitted on.",
    }.get(comparison.word, "These data differ from those that the model was fitted on.")
    return f'<span class="word {comparison.word}">{comparison.word}</span> {said}'


def _findings_with_room(findings: Findings) -> list[tuple[Finding, str]]:
    """The findings that the page lists, (finding, its HTML): the first ones, as many as have
    room."""
    if findings.pictures:
        # pictures weigh more: they have a room of their own
        markups = _with_room(map(_figure, findings.records), PICTURES)
    else:
        markups = _with_room(map(_row_of_record, findings.records), RECORDS)
    return list(zip(findings.records, markups, strict=False))


def _section_of_scores(findings: Findings, listed_records: Sequence[int]) -> str:
    """The HTML of the section of scores: their course over the records, with a dot for each one
    listed, and how many records have which score. listed_records: the numbers, from 0, of the
    records that the page lists, which are the first of findings.records."""
    trace = findings.trace
    cut = findings.threshold
    words = findings.limit_in_words
    unit = findings.unit
    # a dot that leads nowhere would be worse than none
    listed = findings.records[: len(listed_records)]
    marks = [
        charts.Mark(f.record, f.score, f"{f.record + 1}: {_cut(f.why)}", place_of(f.record))
        for f in listed
    ]
    course = _in_two_widths(
        charts.score_over_records(trace, cut, unit, marks, limit_in_words=words),
        charts.score_over_records(trace, cut, unit, marks, 380, 220, words),
    )
    held_out = findings.held_out
    spread = charts.spread_of_scores(trace, cut, unit, held_out).inline()
    key = _words_of_spread(findings, held_out, _words_of_limit(findings))
    caption = "The score of each record"
    if trace.rows > SINGLE:
        caption = "The highest score of each stretch of records, so that no peak is lost"
    listing = f"dots are the {_pictures_or_records(findings)} listed below"
    if not listed:
        listing = f"none is above the threshold; {option('--top')} 5 lists the five highest"
    return (
        "<h2>Scores</h2>\n"
        f'<p class="quiet">{caption}; {listing}.</p>\n'
        f"{course}\n"
        f'<div class="side"><div>{spread}</div><div>{key}</div>'
        "</div>"
    )


def _words_of_spread(
    findings: Findings,
    held_out: Calibration | None,
    standing_out: str = ABOVE,
) -> str:
    """The HTML of the key of the drawing of how many records have which score. held_out: the scores
    held out of the fit, whose line is in the drawing; None: there is no line. standing_out: what
    the bars are that stand out, in words."""
    key = '<svg class="key" viewBox="0 0 12 12"><{}/></svg>'
    lines = [
        key.format('rect class="d-usual" width="12" height="12"') + "ordinary",
        key.format('rect class="d-odd" width="12" height="12"') + text_of(standing_out),
    ]
    # without a model there are none
    if held_out is not None:
        lines.append(
            key.format('path class="d-second" d="M0 6H12"')
            + "what as many ordinary records would give, by "
            f"{held_out.rows:,} held out of the fit"
        )
    paragraphs = "".join(f"<p>{line}</p>" for line in lines)
    axes = "the axis upward by its logarithm"
    if charts.has_logarithmic_scores(findings.trace, findings.threshold):
        axes = "both axes by their logarithms"
    return (
        f'<p class="quiet">How many {_pictures_or_records(findings)} have which score, {axes}.</p>'
        f'<div class="quiet">{paragraphs}</div>'
    )


def _words_of_limit(findings: Findings) -> str:
    """Words for the key of the drawing of scores: which scores its coloured bars have, such as
    "above the threshold", or, where the highest so many records are flagged, without a threshold,
    "the 20th score, and above", "the highest score"."""
    # of no flagged record there is no lowest score that could be named
    if not findings.is_by_rank or not findings.flagged:
        return ABOVE
    # by rank: the bars begin at the lowest score that is flagged
    if findings.flagged == 1:
        return findings.limit_in_words
    return f"{findings.limit_in_words}, and above"


def _section_of_curves(curves: Curves) -> str:
    """The HTML of the section of ROC and precision-recall curves, with the area below each."""
    # where everything is called, precision is the share of anomalies
    share = curves.precision_recall[-1][1] if curves.precision_recall else 0.0
    roc = charts.curve(curves.roc, ("false alarms", "anomalies caught"), 0.0)
    precision_recall = charts.curve(
        curves.precision_recall, ("anomalies caught", "precision"), share
    )
    return (
        f"<h2>Against {curves.anomalies:,} labelled anomalies</h2>\n"
        f'<div class="side"><div>{roc.inline()}<p>AUROC {curves.auroc:.4f}</p></div>'
        f"<div>{precision_recall.inline()}"
        f"<p>average precision {curves.average_precision:.4f}</p></div></div>"
    )


def _section_of_records(findings: Findings, markups: Sequence[str]) -> str:
    """The HTML of the section that lists the records that stand out; "" where none does. markups:
    the HTML of each, a row of a table or a figure."""
    if not markups:
        return ""
    if findings.pictures:
        return _gallery(findings, markups)
    table = _table(("#row", "#score", "#p", "why"), markups, RECORDS, findings.flagged, "anomalies")
    return (
        "<h2>What stands out</h2>\n"
        '<p class="quiet">The highest scores first. On the right where the value found (dot, or '
        "arrow: beyond all seen) and the one expected (bar) lie between the column's lowest and "
        "highest, its middle half shaded; or of words how often they are seen.</p>\n"
        f"{table}"
    )


def _row_of_record(finding: Finding) -> str:
    """The HTML of the row of the table of records for one that stands out, with its reasons."""
    # pictures have no columns to name
    why = "".join(_reason(reason) for reason in finding.reasons) or _safe_text(finding.why)
    cells = [
        _number_cell(finding.record + 1),
        _number_cell(finding.score),
        _number_cell(finding.p, f"{finding.p:.2g}"),
        _text_cell(why),
    ]
    return _table_row(cells, place_of(finding.record))


def _reason(reason: Reason) -> str:
    """The HTML of a reason: column, value found and expected, and a small drawing, if there is
    anything to draw."""
    strip = ""
    if reason.own is not None:
        strip = strips.place_strip(reason.own, reason.wanted, reason.middle).inline("strip")
    elif reason.often is not None:
        strip = strips.share_strip(reason.often).inline("strip")
    return (
        f'<div class="reason"><b>{_safe_text(reason.column)}</b> '
        f'<span class="odd">{_safe_text(reason.found)}</span> '
        f'<span class="quiet">{_safe_text(reason.expected)}</span>{strip}</div>'
    )


def _gallery(findings: Findings, figures: Sequence[str]) -> str:
    """The HTML of the section of pictures that stand out. figures: the HTML of those that have
    room."""
    pictures_left_out = findings.flagged - len(figures)
    more = f'<p class="quiet">and {pictures_left_out:,} more</p>' if pictures_left_out > 0 else ""
    return (
        "<h2>What stands out</h2>\n"
        '<p class="quiet">The highest scores first; on the right, in red, where each costs more '
        f'than usual.</p>\n<div class="pictures">{"".join(figures)}</div>{more}'
    )


def _figure(finding: Finding) -> str:
    """The HTML of a picture that stands out: the picture, beside it the same picture under its
    heat, and below them name, score, p and reasons."""
    name = _safe_text(finding.name or f"picture {finding.record + 1:,}")
    image = _image(finding.picture, "the picture")
    heat = _image(finding.heat, "where it costs more than usual")
    return (
        f'<figure id="{place_of(finding.record)}"><div class="pair"><div>{image}</div>'
        f"<div>{image}{heat}</div></div><figcaption>{name}<br>score {amount(finding.score)}, "
        f"p {finding.p:.2g}<br>{_safe_text(finding.why)}</figcaption></figure>"
    )


def _image(png: bytes, words: str) -> str:
    """The HTML of a PNG image, whose bytes stand in the page itself; "" for no bytes. words: what
    the image shows."""
    data = base64.b64encode(png).decode()
    if png:
        return f'<img alt="{words}" src="data:image/png;base64,{data}">'
    return ""


def _section_of_groups(groups: Sequence[Group], listed: set[int]) -> str:
    """The HTML of the section of groups of alike anomalies, the largest first, at most MOST_GROUPS
    (20) of them; "" without any. listed: the numbers, from 0, of the records that the page lists,
    to which links lead."""
    if not groups:
        return ""
    # of equal groups the one that begins first
    largest = sorted(groups, key=lambda group: (-group.count, group.first))
    rows = [_row_of_group(group, listed) for group in largest[:MOST_GROUPS]]
    headings = ("what they have in common", "#how many", "rows", "#highest score")
    table = _table(headings, rows, GROUPS, len(groups), "groups")
    return f"<h2>Groups of alike anomalies</h2>\n{table}"


def _row_of_group(group: Group, listed: set[int]) -> str:
    """The HTML of one group as a row of the table of groups: its column and manner, how many
    records, which rows, the highest score. Up to three other columns are told, too, if they are
    named with that column in at least half of the group's records; none for a group of one record.
    listed: the numbers, from 0, of the records that the page lists: a link leads only to these."""
    common = f"<b>{_safe_text(group.column)}</b> {_safe_text(group.manner)}"
    # what goes together in one record alone may do so by chance
    often = [(name, n) for name, n in group.partners.most_common(3) if 2 * n >= group.count > 1]
    if often:
        names = ", ".join(
            f"{_safe_text(name)} in {100 * n / group.count:.0f} %" for name, n in often
        )
        common += f'<br><span class="quiet">together with {names}</span>'
    highest = amount(group.score)
    # a link needs a place that is on the page
    if group.highest in listed:
        highest = f'<a href="#{place_of(group.highest)}">{highest}</a>'
    cells = [
        _text_cell(common),
        _number_cell(group.count),
        _text_cell(group.rows()),
        _number_cell(group.score, highest),
    ]
    return _table_row(cells)


def _section_of_blamed_columns(findings: Findings) -> str:
    """The HTML of the section of columns that are named most often, at most MOST_BLAMED (20); of
    pictures an image of where they stand out; "" if there is neither."""
    if findings.parts_seen:
        image = _image(findings.parts_seen, "where pictures that stand out cost more than usual")
        return f'<h2>Where they stand out</h2>\n<div class="pair"><div>{image}</div></div>'
    blamed = findings.blamed()
    if not blamed:
        return ""
    rows = []
    for column in blamed[:MOST_BLAMED]:
        share = column.blamed / max(findings.flagged, 1)
        bar = strips.share_strip(share).inline("share")
        percent = _number_cell(share, f"{100 * share:.3g} %")
        rows.append(
            _table_row(
                [
                    _text_cell(_safe_text(column.name)),
                    _number_cell(column.blamed),
                    percent,
                    ("", bar),
                ]
            )
        )
    headings = ("column", "#anomalies", "#of all", "")
    table = _table(headings, rows, GROUPS, len(blamed), "columns")
    return (
        "<h2>Columns to blame</h2>\n"
        f'<p class="quiet">How many anomalies name a column among their reasons.</p>\n{table}'
    )


def _section_of_comparison(comparison: Comparison) -> str:
    """The HTML of the section that compares the data with those of the model: faults first, then
    the tests that find a shift."""
    # a fault of no column is of the data as a whole
    rows = [
        _table_row(
            [
                _text_cell(_safe_text(column or "all of them")),
                _text_cell("cannot be used"),
                *BLANK,
                _text_cell(why),
            ]
        )
        for column, why in ((name, _safe_text(words)) for name, words in comparison.faults)
    ]
    for shift in comparison.shifted:
        cells = [
            _text_cell(_safe_text(shift.column or "the score")),
            _text_cell(shift.what),
            _text_cell(text_of(shift.before)),
            _text_cell(text_of(shift.now)),
            _number_cell(shift.adjusted, f"{shift.adjusted:.2g}"),
        ]
        rows.append(_table_row(cells))
    summary = (
        f'<p class="quiet">{len(comparison.shifts):,} tests of {comparison.rows:,} records beside '
        f"the {comparison.rows_before:,} of the model; of data that are the same, any of them "
        f"would fail in at most {100 * comparison.alpha:.3g} of 100 cases (p by Holm's rule).</p>"
    )
    table = ""
    if rows:
        headings = ("column", "what", "before", "now", "#p")
        table = _table(headings, rows, SHIFTS, len(rows), "differences")
    return (
        "<h2>Beside the data of the model</h2>\n"
        f"<p>{_result_of_comparison(comparison)}</p>\n{summary}{table}"
    )


BLANK: tuple[Cell, Cell] = (("", ""), ("", ""))


def _section_of_columns(findings: Findings) -> str:
    """The HTML of the section of how each column was read, the most remarkable first; "" without
    columns."""
    if not findings.columns:
        return ""
    # what is worth a look comes first
    order = sorted(findings.columns, key=lambda column: -column.remarkable)
    with_model = any(column.gaps_before is not None for column in order)
    rows = (_row_of_column(column, findings.total, with_model) for column in order)
    headings = ["column", "read as", "#gaps", "#unreadable"]
    if with_model:
        headings[3:3] = ["#gaps before"]
        headings.append("#new or out of range")
    table = _table(headings, rows, COLUMNS, len(order), "columns, of which there is less to say")
    return f"<h2>How the columns were read</h2>\n{table}"


def _row_of_column(column: ColumnRead, total: int, with_model: bool) -> str:
    """The HTML of the row of the table of columns for one of them. total: how many records there
    are; with_model: whether the table has columns of gaps before and of what is new."""
    gaps = f"{column.gaps:,}"
    if column.gaps:
        gaps += f" ({100 * column.gaps / max(total, 1):.2g} %)"
    cells = [
        _text_cell(_safe_text(column.name)),
        _text_cell(_safe_text(column.understood)),
        _number_cell(column.gaps, gaps),
    ]
    if with_model:
        # None for a column that the model does not see
        before = column.gaps_before
        share = "" if before is None else f"{100 * before:.2g} %"
        cells.append(_number_cell(before or 0.0, share or " "))
    cells.append(_number_cell(column.odd))
    if with_model:
        kind = " new" if column.new_words and column.outside else ""
        cells.append(_number_cell(column.outside, f"{column.outside:,}{kind}"))
    return _table_row(cells)
