// The frame of a chart: round ticks, scales from 0, grid lines, labels; and drawing it anew when
// its width changes.
function roundStep(largest, most) {
  const raw = largest / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((step) => step >= raw * (1 - 1e-9));
}

function ticks(largest, most) {
  if (!(largest > 0)) return [0, 1];
  const step = roundStep(largest, most);
  const count = Math.ceil(largest / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

// A frame from (0, 0); x and y map values to pixels. `name` says to those who cannot see the chart
// what it shows.
function frame({ width, height, xMost, yMost, xTitle, yTitle, name, xEnd = null, yText = brief, xText = brief }) {
  // As many labels as fit without touching.
  let xTicks = ticks(xMost, 8);
  for (let most = 7; most > 1; most -= 1) {
    const longest = Math.max(...xTicks.map((value) => xText(value).length));
    if (xTicks.length * (7.2 * longest + 26) < width - 70) break;
    xTicks = ticks(xMost, most);
  }
  const yTicks = ticks(yMost, height < 240 ? 4 : 5);
  // Room for the widest label: about 7.2 pixels a character.
  const widest = Math.max(...yTicks.map((value) => yText(value).length));
  const margin = { left: Math.max(58, 32 + 7.2 * widest), right: 14, top: 12, bottom: 44 };
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const xLast = xEnd ?? xTicks.at(-1);
  const yLast = yTicks.at(-1);
  const x = (value) => margin.left + (value / xLast) * inner.width;
  const y = (value) => margin.top + inner.height - (value / yLast) * inner.height;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": name });
  const grid = svg("g", { class: "grid", "aria-hidden": "true" });
  for (const value of yTicks) {
    grid.append(
      svg("line", { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value), class: value === 0 ? "axis" : null }),
      svg("text", { x: margin.left - 8, y: y(value) + 4, "text-anchor": "end" }, yText(value)));
  }
  for (const value of xTicks.filter((tick) => tick <= xLast)) {
    grid.append(
      svg("line", { x1: x(value), x2: x(value), y1: y(0), y2: y(0) + 5, class: "axis" }),
      svg("text", { x: x(value), y: y(0) + 19, "text-anchor": value === xLast && value > 0 ? "end" : "middle" }, xText(value)));
  }
  grid.append(
    svg("text", { class: "title", x: margin.left + inner.width / 2, y: height - 6, "text-anchor": "middle" }, xTitle),
    svg("text", { class: "title", x: -(margin.top + inner.height / 2), y: 13, transform: "rotate(-90)", "text-anchor": "middle" }, yTitle));
  root.append(grid);
  return { root, x, y, xLast, yLast, margin, inner, width, height };
}

// Every chart of the page, to draw anew: for the screen, or at a width for paper.
const charts = [];
let onPaper = false;

// Calls draw(width) now, and again whenever the holder gets another width.
function drawn(holder, draw) {
  let last = 0;
  const fit = () => Math.max(260, Math.floor(holder.clientWidth));
  const redraw = (width = fit()) => {
    last = width;
    holder.replaceChildren(...draw(width));
  };
  redraw();
  new ResizeObserver(() => { if (!onPaper && fit() !== last) redraw(); }).observe(holder);
  charts.push({ holder, redraw });
  return redraw;
}

// The same figures as a table, folded away, for those who want or need numbers.
function figuresTable(caption, heads, rows) {
  return html("details", { class: "numbers" },
    html("summary", {}, "Figures of this chart"),
    html("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption },
      html("table", { class: "figures" }, html("caption", { class: "unseen" }, caption),
        html("thead", {}, html("tr", {}, ...heads.map((head) => html("th", { scope: "col" }, head)))),
        html("tbody", {}, ...rows.map((row) => html("tr", {}, ...row.map((cell) => html("td", {}, cell))))))));
}
