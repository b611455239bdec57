// The controls above the table of certificates: which log, which of its rows.
function field(label, control) {
  return html("label", { class: "field" }, html("span", {}, label), control);
}

function numberInput(name, attributes = {}) {
  return html("input", { type: "number", name, step: "any", autocomplete: "off", ...attributes });
}

function options(names) {
  return names.map(([value, text]) => html("option", { value }, text));
}

function startCertificates() {
  const card = document.getElementById("certificates-card");
  const logs = html("select", { name: "log" }, ...options(LOGS.map((log, place) => [place, log.name])));
  const outcome = html("select", { name: "outcome" },
    ...options(DATA.labelled ? [["", "all"], ["1", "correct"], ["0", "wrong"], ["2", "abstained"]] : [["", "all"], ["1", "certified"], ["2", "abstained"]]));
  const inputs = {
    idx: numberInput("idx", { min: 0, step: 1 }),
    label: numberInput("label", { min: 0, step: 1 }),
    predict: numberInput("predict", { min: -1, step: 1 }),
    least: numberInput("least", { min: 0 }),
    most: numberInput("most", { min: 0 }),
  };
  const found = html("output", { class: "found", "aria-live": "polite" });
  const form = html("form", { class: "filters", "aria-label": "Filter the certificates", submit: (event) => event.preventDefault() },
    LOGS.length > 1 ? field("Log", logs) : null,
    field("Outcome", outcome), field("Index", inputs.idx), DATA.labelled ? field("Label", inputs.label) : null, field("Predict", inputs.predict),
    field("Radius at least", inputs.least), field("Radius at most", inputs.most),
    html("button", { type: "reset" }, "Reset filters"));
  card.append(form, found);
  const table = new CertificateTable(card);

  table.changed = (rows) => {
    const rest = table.reach < rows ? `; the first ${whole(table.reach)} can be scrolled to, filters reach the others` : "";
    found.textContent = `${whole(rows)} of ${whole(table.log.rows)} certificates${rest}`;
  };

  function apply() {
    const log = LOGS[Number(logs.value)];
    const { idx, label, predict, radius } = log.columns;
    const kinds = outcomes(log);
    const tests = [];
    const asked = (input, test) => {
      const value = Number(input.value);
      if (input.value !== "" && Number.isFinite(value)) tests.push(test(value));
    };
    if (outcome.value !== "") tests.push((row) => kinds[row] === Number(outcome.value));
    asked(inputs.idx, (value) => (row) => idx[row] === value);
    asked(inputs.label, (value) => (row) => label[row] === value);
    asked(inputs.predict, (value) => (row) => predict[row] === value);
    asked(inputs.least, (value) => (row) => radius[row] >= value);
    asked(inputs.most, (value) => (row) => radius[row] <= value);
    table.filter = (row) => tests.every((test) => test(row));
  }

  const refresh = () => { apply(); table.refresh(); };
  logs.addEventListener("change", () => { apply(); table.show(Number(logs.value)); });
  outcome.addEventListener("change", refresh);
  for (const input of Object.values(inputs)) input.addEventListener("input", refresh);
  form.addEventListener("reset", () => setTimeout(() => { apply(); table.show(Number(logs.value)); }));
  table.show(0);
  return table;
}
