// The curves of certified accuracy: true steps, read at any radius by pointer, slider or number.
const shownLogs = CURVES.map(() => true);
let readRadius = 0;

// The place in a curve that holds at r: the first of its radii that is at least r; -1 beyond.
function placeAt(radii, r) {
  let low = 0, high = radii.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (radii[middle] >= r) high = middle; else low = middle + 1;
  }
  return low < radii.length ? low : -1;
}

function accuracyAt(log, r) {
  const place = placeAt(log.curve.radii, r);
  const at = (values) => (place < 0 ? 0 : values[place]);
  return {
    accuracy: at(log.curve.accuracy),
    lower: log.curve.lower === null ? null : at(log.curve.lower),
    decided: log.decided === null || log.decided.includes(r),
  };
}

const largestRadius = Math.max(...LOGS.map((log) => log.curve.radii.at(-1)));

// From radius 0 down to 0 beyond the last radius. Steps of less than a quarter of a pixel are drawn
// as one; reading uses every step.
function stepPath(radii, values, x, y) {
  let path = `M${x(0)} ${y(values[0]).toFixed(2)}`;
  let last = x(0);
  for (let i = 1; i < radii.length; i += 1) {
    const place = x(radii[i]);
    if (place - last < 0.25 && i + 1 < radii.length) continue;
    path += `V${y(values[i]).toFixed(2)}H${place.toFixed(2)}`;
    last = place;
  }
  return `${path}V${y(0)}`;
}

function curve(log, number, f) {
  const { radii, accuracy, lower } = log.curve;
  const group = svg("g", { class: look(number) });
  const main = stepPath(radii, accuracy, f.x, f.y);
  if (lower !== null && number < LOGS.length) {
    const below = stepPath(radii, lower, f.x, f.y);
    group.append(
      svg("path", { class: "band", "fill-rule": "evenodd", d: `${main}H${f.x(0)}Z${below}H${f.x(0)}Z` }),
      svg("path", { class: "bound", d: below }));
  }
  group.append(svg("path", { class: "curve", d: main }));
  for (const r of log.decided ?? []) {
    group.append(svg("circle", { class: "decided", cx: f.x(r), cy: f.y(accuracyAt(log, r).accuracy), r: 3.5 }));
  }
  return group;
}

function drawAccuracy(width) {
  const height = Math.round(Math.min(400, Math.max(260, width * 0.5)));
  const described = CURVES.map((log) => `${log.name}: ${share(log.curve.accuracy[0])} at radius 0, 0 beyond ${brief(log.curve.radii.at(-1))}`);
  const f = frame({
    width, height, xMost: largestRadius, yMost: 1, xTitle: "L2 radius", yTitle: MEASURE,
    name: `Step curves of ${MEASURE} against the L2 radius. ${described.join("; ")}. The slider below reads them.`,
    yText: (value) => value.toFixed(1),
  });
  // The envelope below the others, which it runs along.
  if (shownLogs[LOGS.length]) f.root.append(curve(DATA.envelope, LOGS.length, f));
  LOGS.forEach((log, number) => { if (shownLogs[number]) f.root.append(curve(log, number, f)); });
  const cursor = svg("g", { class: "cursor", "aria-hidden": "true" });
  f.root.append(cursor);
  const read = (event) => {
    const box = f.root.getBoundingClientRect();
    const pixel = ((event.clientX - box.left) / box.width) * f.width;
    const radius = ((pixel - f.margin.left) / f.inner.width) * f.xLast;
    setRadius(Number(Math.min(Math.max(radius, 0), f.xLast).toPrecision(4)));
  };
  f.root.addEventListener("pointermove", read);
  f.root.addEventListener("pointerdown", read);
  placeCursor = () => {
    const r = Math.min(readRadius, f.xLast);
    cursor.replaceChildren(svg("line", { x1: f.x(r), x2: f.x(r), y1: f.margin.top, y2: f.y(0) }));
    CURVES.forEach((log, number) => {
      if (!shownLogs[number] || readRadius > f.xLast) return;
      cursor.append(svg("circle", { class: look(number), cx: f.x(r), cy: f.y(accuracyAt(log, readRadius).accuracy), r: 4.5 }));
    });
  };
  radiusSlider.max = f.xLast;
  radiusSlider.step = roundStep(f.xLast, 500);
  placeCursor();
  return [f.root];
}

let placeCursor = () => {};
const radiusSlider = document.getElementById("radius-slider");
const radiusInput = document.getElementById("radius-number");

function setRadius(radius, typed = false) {
  readRadius = radius;
  radiusSlider.value = radius;
  radiusSlider.setAttribute("aria-valuetext", `radius ${brief(radius)}`);
  if (!typed) radiusInput.value = radius;
  document.getElementById("radius-shown").textContent = brief(radius);
  document.getElementById("accuracy-reading").replaceChildren(...CURVES.map((log, place) => {
    const { accuracy, lower, decided } = accuracyAt(log, radius);
    return html("tr", { class: shownLogs[place] ? null : "muted", "data-log": place },
      html("th", { scope: "row" }, html("span", { class: `log ${look(place)}` }, key(place), ` ${log.name}`)),
      html("td", {}, `${decided ? "" : "≥ "}${share(accuracy)}`),
      html("td", {}, `${whole(Math.round(accuracy * log.rows))} of ${whole(log.rows)}`),
      html("td", {}, lower === null ? "–" : roundedDown(lower)));
  }));
  placeCursor();
}

function startAccuracy() {
  const redraw = drawn(document.getElementById("accuracy-chart"), drawAccuracy);
  // One log needs no choice.
  document.getElementById("accuracy-legend").append(...(LOGS.length > 1 ? CURVES : []).map((log, place) =>
    html("button", { type: "button", class: `log ${look(place)}`, "aria-pressed": "true", click: (event) => {
      shownLogs[place] = !shownLogs[place];
      event.currentTarget.setAttribute("aria-pressed", shownLogs[place]);
      redraw();
      setRadius(readRadius);
    } }, key(place), ` ${log.name}`)));
  radiusSlider.addEventListener("input", () => setRadius(Number(Number(radiusSlider.value).toPrecision(4))));
  radiusInput.addEventListener("input", () => {
    const radius = Number(radiusInput.value);
    if (radiusInput.value !== "" && radius >= 0 && Number.isFinite(radius)) setRadius(radius, true);
  });
  setRadius(0);
}
