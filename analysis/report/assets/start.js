// Everything that scripts add to the page, and what changes while it is printed.
const PRINTED_ROWS = 60;

function startPrinting(table) {
  const note = html("p", { class: "print-only hint" });
  table.scroller.before(note);
  window.addEventListener("beforeprint", () => {
    const rows = Math.min(PRINTED_ROWS, table.rows.length);
    note.textContent = `Printed: the first ${whole(rows)} of ${whole(table.rows.length)} certificates of ${table.log.name}, as sorted and filtered on the screen.`;
    table.drawForPrint(rows);
  });
  window.addEventListener("afterprint", () => table.stopPrinting());
}

document.documentElement.classList.add("scripted");
startAccuracy();
startHistograms();
startPrinting(startCertificates());
