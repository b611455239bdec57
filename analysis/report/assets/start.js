// Everything that scripts add to the page, and what changes while it is printed.
const PRINTED_ROWS = 60;
const PAPER_WIDTH = 640; // pixels that A4 and letter paper have between their margins
const HALF_PAPER_WIDTH = 300;

function startPrinting(table) {
  const note = html("p", { class: "print-only hint" });
  table.scroller.before(note);
  const unfolded = [];
  window.addEventListener("beforeprint", () => {
    const rows = Math.min(PRINTED_ROWS, table.rows.length);
    note.textContent = `Printed: the first ${whole(rows)} of ${whole(table.rows.length)} certificates of ${table.log.name}, as sorted and filtered on the screen.`;
    table.drawForPrint(rows);
    onPaper = true;
    for (const { holder, redraw } of charts) {
      redraw(LOGS.length > 1 && holder.closest(".cards") ? HALF_PAPER_WIDTH : PAPER_WIDTH);
    }
    for (const details of document.querySelectorAll(".facts details:not([open])")) {
      details.open = true;
      unfolded.push(details);
    }
  });
  window.addEventListener("afterprint", () => {
    onPaper = false;
    table.stopPrinting();
    for (const { redraw } of charts) redraw();
    for (const details of unfolded.splice(0)) details.open = false;
  });
}

document.documentElement.classList.add("scripted");
startAccuracy();
startHistograms();
startPrinting(startCertificates());
