// Charts of one log each: outcomes, radii, samples per image, throughput.
const bar = (f, from, to, base, top, kind) => {
  const left = f.x(from), right = Math.max(f.x(to) - 1, f.x(from) + 0.75);
  const high = f.y(base + top), height = f.y(base) - high;
  return svg("rect", { class: kind, x: left.toFixed(2), y: high.toFixed(2), width: (right - left).toFixed(2), height: Math.max(height, 0).toFixed(2) });
};

const titled = (node, text) => { node.append(svg("title", {}, text)); return node; };

function drawOutcomes(log, width) {
  const { predict, label } = log.columns;
  let correct = 0, abstained = 0;
  predict.forEach((c, i) => { if (counts(c, label[i])) correct += 1; else if (c < 0) abstained += 1; });
  const parts = [["correct", correct], ["wrong", log.rows - correct - abstained], ["abstained", abstained]]
    .filter(([kind]) => DATA.labelled || kind !== "wrong");
  let left = 0;
  const root = svg("svg", { viewBox: `0 0 ${width} 14`, width, height: 14, role: "img",
    "aria-label": parts.map(([kind, rows]) => `${rows} ${outcomeName(kind)}`).join(", ") });
  for (const [kind, rows] of parts) {
    const part = (rows / log.rows) * width;
    root.append(titled(svg("rect", { class: kind, x: left, y: 0, width: part, height: 14 }), `${outcomeName(kind)}: ${whole(rows)}`));
    left += part;
  }
  return [root];
}

// The last bin of the widest log, so that the logs' histograms share one axis.
const radiusEnd = Math.max(...LOGS.map((log) => log.radius_histogram.correct.length * log.radius_histogram.width));

function drawRadii(log, width) {
  const { correct, wrong, width: bin } = log.radius_histogram;
  const most = Math.max(1, ...correct.map((rows, i) => rows + wrong[i]));
  const f = frame({ width, height: 220, xMost: radiusEnd, yMost: most, xTitle: "L2 radius", yTitle: "images",
    name: `Histogram of the radii of ${log.name}: ${correct.length} bins of ${brief(bin)}, most images in one bin ${most}. The figures follow.` });
  const rows = [];
  correct.forEach((good, i) => {
    const from = i * bin, to = (i + 1) * bin, text = `${brief(from)} to ${brief(to)}: ${good} ${outcomeName("correct")}${DATA.labelled ? `, ${wrong[i]} wrong` : ""}`;
    if (good) f.root.append(titled(bar(f, from, to, 0, good, "correct"), text));
    if (wrong[i]) f.root.append(titled(bar(f, from, to, good, wrong[i], "wrong"), text));
    rows.push([`${brief(from)} to ${brief(to)}`, whole(good), ...(DATA.labelled ? [whole(wrong[i])] : [])]);
  });
  return [f.root, figuresTable(`Radii of ${log.name}`, DATA.labelled ? ["Radius", "Correct", "Wrong"] : ["Radius", "Images"], rows)];
}

function drawSamples(log, width) {
  const samples = log.samples_histogram;
  if (samples === null) return [html("p", { class: "hint" }, "Not recorded in this log.")];
  if (samples.least === samples.most) return [html("p", { class: "single" }, html("strong", {}, whole(samples.most)), " for every image")];
  const { rows: counts, width: bin } = samples;
  const most = Math.max(...counts);
  const f = frame({ width, height: 200, xMost: counts.length * bin, yMost: most, xTitle: "samples", yTitle: "images",
    name: `Histogram of the samples used per image of ${log.name}: mean ${whole(samples.mean)}, from ${whole(samples.least)} to ${whole(samples.most)}. The figures follow.` });
  const rows = [];
  counts.forEach((count, i) => {
    const text = `${whole(i * bin)} to ${whole((i + 1) * bin)}`;
    if (count) {
      f.root.append(titled(bar(f, i * bin, (i + 1) * bin, 0, count, "correct"), `${text}: ${count} images`));
      rows.push([text, whole(count)]);
    }
  });
  return [html("p", { class: "single" }, html("strong", {}, whole(samples.mean)), ` on average, ${whole(samples.least)} to ${whole(samples.most)}`),
    f.root, figuresTable(`Samples per image of ${log.name}`, ["Samples", "Images"], rows)];
}

function drawThroughput(log, width) {
  const t = log.throughput;
  if (t === null) return [html("p", { class: "hint" }, "This log records no time.")];
  const end = t.ends.at(-1);
  const [scale, unit] = end < 120 ? [1, "s"] : end < 7200 ? [60, "min"] : [3600, "h"];
  const f = frame({ width, height: 200, xMost: end / scale, xEnd: end / scale, yMost: Math.max(...t.rate), xTitle: `time (${unit})`, yTitle: `${t.unit} per s`,
    name: `Throughput of ${log.name} over time: mean ${rounded(t.mean)} ${t.unit} per second over ${clock(end)}. The figures follow.` });
  let path = "";
  t.ends.forEach((to, i) => {
    path += `${i ? "V" : `M${f.x(0)} `}${f.y(t.rate[i]).toFixed(2)}H${f.x(to / scale).toFixed(2)}`;
  });
  f.root.append(svg("path", { class: "area", d: `${path}V${f.y(0)}H${f.x(0)}Z` }), svg("path", { class: "curve", d: path }));
  return [html("p", { class: "single" }, html("strong", {}, rounded(t.mean)), ` ${t.unit} per second on average`), f.root,
    figuresTable(`Throughput of ${log.name}`, ["Until", `${t.unit} per s`], t.ends.map((to, i) => [clock(to), rounded(t.rate[i])]))];
}

function startHistograms() {
  LOGS.forEach((log, place) => {
    const charts = { outcomes: drawOutcomes, radii: drawRadii, samples: drawSamples, throughput: drawThroughput };
    for (const [kind, draw] of Object.entries(charts)) {
      drawn(document.querySelector(`[data-${kind}="${place}"]`), (width) => draw(log, width));
    }
  });
}
