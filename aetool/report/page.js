"use strict";
// Tables that are marked so can be sorted by a click on a heading, and filtered by a word.
for (const table of document.querySelectorAll("table.sorted")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const value = (row, place) => {
    const cell = row.cells[place];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.textContent = "";
    heading.append(button);
    button.addEventListener("click", () => {
      const falling = heading.getAttribute("aria-sort") === "descending";
      for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", falling ? "ascending" : "descending");
      const sign = falling ? 1 : -1;
      const place = heading.cellIndex;
      rows.sort((a, b) => {
        const x = value(a, place);
        const y = value(b, place);
        return sign * (typeof x === "number" ? x - y : x.localeCompare(y));
      });
      body.append(...rows);
    });
  }
  if (rows.length > 8) {
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "Filter: rows with this word";
    filter.setAttribute("aria-label", filter.placeholder);
    table.parentNode.before(filter);
    // by row, as sorting changes their order
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    filter.addEventListener("input", () => {
      const word = filter.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !texts.get(row).includes(word);
    });
  }
}
