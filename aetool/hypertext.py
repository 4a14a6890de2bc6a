"""Small tables for notebooks, as HTML with no style or script of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(caption: str, rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """The text of an HTML table, in which captions, headings and cells are escaped. rows: of as
    many cells each as columns; head: names of the columns, or () for none."""
    written = [f"<table><caption>{escape(caption)}</caption>"]
    if head:
        titles = "".join(f"<th>{escape(title)}</th>" for title in head)
        written.append(f"<thead><tr>{titles}</tr></thead>")
    written.append("<tbody>")
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        written.append(f"<tr>{cells}</tr>")
    written.append("</tbody></table>")
    return "\n".join(written)
