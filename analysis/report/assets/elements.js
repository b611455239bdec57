// The data of the page, elements from plain values (never from markup), and numbers as text.
const DATA = JSON.parse(document.getElementById("report-data").textContent);
const LOGS = DATA.logs;
// What has a curve: the logs, and their upper envelope where there is one.
const CURVES = DATA.envelope === null ? LOGS : [...LOGS, DATA.envelope];

// What the curves show; without labels every prediction counts, and nothing is right or wrong.
const MEASURE = DATA.labelled ? "certified accuracy" : "certified share, whatever the label";
const counts = (predict, label) => (DATA.labelled ? predict === label : predict >= 0);
const outcomeName = (kind) => (kind === "correct" && !DATA.labelled ? "certified" : kind);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const html = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// The classes that give a log its colour and its line style; style attributes are forbidden here.
const look = (number) => (number < LOGS.length ? `series-${number % 7} dash-${number % 5}` : "envelope");

const key = (number) =>
  svg("svg", { class: "key", viewBox: "0 0 28 10", "aria-hidden": "true" }, svg("path", { d: "M1 5H27" }));

const whole = (value) => Number(value).toLocaleString("en-US", { maximumFractionDigits: 0 });

const share = (value) => value.toFixed(3);

// A bound must not be rounded up; the 1e-9 is for shares like .927 that lie a bit below it.
const roundedDown = (bound) => (Math.floor(bound * 1000 + 1e-9) / 1000).toFixed(3);

// Up to four significant digits, and no more than needed: 0.25, 1.5, 12,300, 1e+9.
function brief(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2).replace(/\.?0+e/, "e");
  return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 7 });
}

// Three significant digits, for what is measured.
const rounded = (value) => (value >= 1000 ? whole(value) : brief(Number(value.toPrecision(3))));

function clock(seconds) {
  if (seconds < 60) return `${brief(seconds)} s`;
  if (seconds < 3600) return `${brief(seconds / 60)} min`;
  return `${brief(seconds / 3600)} h`;
}
