// The table of certificates: only the rows in sight are in the page, so that 50,000 scroll well.
const FILE_ORDER = "file";
const OUTCOMES = ["wrong", "correct", "abstained"];
const OUTCOME_TEXT = ["✗ wrong", DATA.labelled ? "✓ correct" : "✓ certified", "– abstained"];

// Every column: its values to sort by, and a cell's text. `hint` explains it on the header.
const COLUMNS = [
  { name: "idx", hint: "index of the image in its source" },
  { name: "label", hint: "the image's true class", labels: true },
  { name: "predict", hint: "the smoothed classifier's class; -1: abstained" },
  { name: "radius", hint: "certified L2 radius, pixels in [0, 1]", text: (value) => value.toFixed(6) },
  { name: "correct", title: DATA.labelled ? "correct" : "outcome", hint: DATA.labelled ? "whether predict is the label" : "whether a class is predicted", text: (value) => OUTCOME_TEXT[value] },
  { name: "n", hint: "estimation samples", text: whole },
  { name: "count", hint: "estimation samples of the predicted class", text: whole },
  { name: "drawn", hint: "samples used altogether", text: whole },
  { name: "covers", hint: "every 8-bit image whose squared pixel differences sum to at most this is classified the same", text: whole },
  { name: "time", hint: "the image's share of the run's time, in seconds", text: (value) => value.toFixed(6) },
];

const SPACER_LIMIT = 16_000_000; // browsers place nothing far beyond this many pixels

// 0 wrong, 1 correct, 2 abstained, per row.
function outcomes(log) {
  const { predict, label } = log.columns;
  return Uint8Array.from(predict, (c, i) => (c < 0 ? 2 : Number(counts(c, label[i]))));
}

class CertificateTable {
  constructor(holder) {
    this.body = html("tbody");
    this.head = html("tr");
    this.table = html("table", { class: "certificates" },
      html("caption", { class: "unseen" }, "Certificates; the buttons in the header sort them"),
      html("thead", {}, this.head), this.body);
    this.scroller = html("div", { class: "scroll tall", role: "region", tabindex: "0",
      "aria-labelledby": "certificates-title", scroll: () => this.plan() }, this.table);
    holder.append(this.scroller);
    this.filter = () => true;
    new ResizeObserver(() => this.plan()).observe(this.scroller);
  }

  show(place) {
    this.place = place;
    this.log = LOGS[place];
    const values = { ...this.log.columns, correct: outcomes(this.log) };
    this.columns = COLUMNS.filter(({ name, labels }) => values[name] !== undefined && (DATA.labelled || !labels))
      .map((column) => ({ text: String, ...column, values: values[column.name] }));
    this.pictures = DATA.pictures !== null && DATA.pictures.fits[place];
    this.sorted = { name: FILE_ORDER, sign: 1 };
    this.table.classList.toggle("pictured", this.pictures);
    this.drawHead();
    this.refresh();
  }

  drawHead() {
    this.head.replaceChildren(
      this.pictures ? html("th", { scope: "col", class: "picture" }, "image") : "",
      ...this.columns.map((column) => {
        const state = this.sorted.name !== column.name ? "none" : this.sorted.sign > 0 ? "ascending" : "descending";
        const mark = { none: "↕", ascending: "▲", descending: "▼" }[state];
        return html("th", { scope: "col", class: column.name, "aria-sort": state },
          html("button", { type: "button", title: column.hint, click: () => this.sort(column.name) },
            column.title ?? column.name, html("span", { class: "mark", "aria-hidden": "true" }, mark)));
      }));
  }

  // Ascending, then descending, then as in the log.
  sort(name) {
    const { name: before, sign } = this.sorted;
    if (before !== name) this.sorted = { name, sign: 1 };
    else this.sorted = sign > 0 ? { name, sign: -1 } : { name: FILE_ORDER, sign: 1 };
    this.drawHead();
    this.head.querySelector(`.${name} button`).focus();
    this.refresh();
  }

  refresh() {
    const rows = [];
    for (let row = 0; row < this.log.rows; row += 1) if (this.filter(row)) rows.push(row);
    const column = this.columns.find(({ name }) => name === this.sorted.name);
    if (column) {
      const { values } = column, { sign } = this.sorted;
      rows.sort((a, b) => sign * (Number(values[a]) - Number(values[b])) || a - b);
    }
    this.rows = rows;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.scroller.scrollTop = 0;
    this.draw();
    this.changed?.(rows.length);
  }

  plan() {
    if (this.planned || this.printing || !this.log) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      if (!this.printing) this.draw();
    });
  }

  // How many rows can be scrolled to.
  get reach() {
    return Math.min(this.rows.length, Math.floor(SPACER_LIMIT / this.rowHeight));
  }

  get rowHeight() {
    return this.body.querySelector("tr[data-row]")?.offsetHeight || 46;
  }

  // The rows in sight and some on either side; spacers stand for the others.
  draw() {
    const height = this.rowHeight;
    const most = this.reach;
    const first = Math.max(0, Math.min(Math.floor(this.scroller.scrollTop / height) - 8, most));
    const last = Math.min(most, first + Math.ceil(this.scroller.clientHeight / height) + 24);
    const cells = this.columns.length + Number(this.pictures);
    this.body.replaceChildren(
      this.spacer(first * height, cells),
      ...this.rows.slice(first, last).map((row, i) => this.row(row, first + i)),
      this.spacer((most - last) * height, cells));
    if (this.rows.length === 0) {
      this.body.replaceChildren(html("tr", {}, html("td", { colspan: cells, class: "none" }, "No certificate passes these filters.")));
    }
  }

  // On paper nothing scrolls: the first rows stay until printing stops.
  drawForPrint(rows) {
    this.printing = true;
    this.body.replaceChildren(...this.rows.slice(0, rows).map((row, i) => this.row(row, i)));
  }

  stopPrinting() {
    this.printing = false;
    this.draw();
  }

  spacer(height, cells) {
    const spacer = html("tr", { class: "spacer", "aria-hidden": "true" }, html("td", { colspan: cells }));
    spacer.style.height = `${height}px`;
    spacer.firstChild.style.height = `${height}px`;
    return spacer;
  }

  row(row, place) {
    const cells = this.columns.map(({ name, values, text }) => html("td", { class: name }, text(values[row])));
    if (this.pictures) cells.unshift(html("td", { class: "picture" }, this.picture(row)));
    return html("tr", { "data-row": row, "aria-rowindex": place + 2, class: OUTCOMES[this.columns.find(({ name }) => name === "correct").values[row]] }, ...cells);
  }

  picture(row) {
    const index = this.log.columns.idx[row];
    const data = DATA.pictures.png[index];
    if (data === undefined) return "";
    return html("img", { src: `data:image/png;base64,${data}`, alt: `image ${index}`, decoding: "async" });
  }
}
