"""The page: its template filled, with styles and scripts inlined under a policy that admits
nothing else."""

import base64
import datetime
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from smoothcert.analysis.accuracy import DEFAULT_RHO
from smoothcert.analysis.log import Log, files_of
from smoothcert.analysis.report.facts import plain
from smoothcert.analysis.report.payload import envelope_payload, payload, script_json
from smoothcert.analysis.report.sections import envelope_rows, promises, sections
from smoothcert.analysis.report.thumbnails import thumbnails
from smoothcert.analysis.table import AccuracyTable
from smoothcert.engine.base.errors import InputError, require
from smoothcert.engine.base.files import write_atomically
from smoothcert.engine.base.machine import version_of
from smoothcert.engine.base.outputs import check_output
from smoothcert.engine.sources.options import NOTHING_SAID, SourceOptions

_STYLES = ("page.css", "charts.css", "certificates.css", "print.css")
_SCRIPTS = (
    "elements.js", "axes.js", "accuracy.js", "histograms.js", "certificates.js", "filters.js",
    "start.js",
)  # fmt: skip
_SUFFIXES = (".html", ".htm")


def write_report(
    path: Path,
    logs: Sequence[Log],
    table: AccuracyTable,
    *,
    alpha: float | None = None,
    rho: float | None = None,
    source: str | None = None,
    source_options: SourceOptions = NOTHING_SAID,
) -> None:
    """Write the report of the logs, whose table has been made, to the one file `path`.

    alpha serves logs that record none, rho is the failure probability of the lower curves [0.001],
    and source gives pictures (source_options: what its files do not say). Replaces an older report.
    Raises InputError where `path` is not named as a page or cannot be written, where jinja2 is
    missing, and as `thumbnails`.
    """
    lists = (source_options.labels, source_options.classes)
    check_report_path(path, [*files_of(logs), source, *lists])
    page = render(logs, table, alpha=alpha, rho=rho, source=source, source_options=source_options)
    try:
        write_atomically(path, page.encode("utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): expected a path in a writable folder"
        ) from None


def check_report_path(path: Path, inputs: Sequence[str | Path | None]) -> None:
    """Raise InputError unless a report can be written there: its name, its folder, and what is
    there is none of the inputs."""
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path} is no name for a report: expected FILE.html")
    check_output(path, "report", replace=True, inputs=inputs)


def render(
    logs: Sequence[Log],
    table: AccuracyTable,
    *,
    alpha: float | None = None,
    rho: float | None = None,
    source: str | None = None,
    source_options: SourceOptions = NOTHING_SAID,
    made: datetime.datetime | None = None,
) -> str:
    """The page as text: the arguments of write_report, and when it was made [now]."""
    jinja2 = require("jinja2", "report", "an HTML report")
    level = DEFAULT_RHO if rho is None else rho
    shown = sections(logs, table, alpha, level)
    names = [section.name for section in shown]
    envelope = None if table.envelope is None else envelope_rows(logs, names, table, alpha, level)
    pictures = None if source is None else thumbnails(source, logs, options=source_options)
    data = {
        "rho": level,
        "labelled": table.labelled,
        "logs": payload(logs, names, alpha, level),
        "envelope": envelope and envelope_payload(logs, alpha, level),
        "pictures": pictures and {"fits": pictures.fits, "png": pictures.pictures},
    }
    style, script = _joined(_STYLES), f'(() => {{\n"use strict";\n{_joined(_SCRIPTS)}}})();\n'
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page: str = environment.from_string(_asset("page.html")).render(
        policy=_policy(style, script),
        style=style,
        script=script,
        data=script_json(data),
        sections=shown,
        envelope=envelope,
        promises=promises(logs, names),
        labelled=table.labelled,
        measure="Certified accuracy" if table.labelled else "Certified share",
        radii=[f"{r:.15g}" for r in table.radii],
        rho=f"{level:g}",
        pictures=pictures,
        pictures_of=plain(pictures.name) if pictures else "",
        rows=f"{sum(map(len, logs)):,}",
        made=(made or datetime.datetime.now(datetime.UTC)).strftime("%Y-%m-%d %H:%M UTC"),
        version=version_of("smoothcert") or "",
    )
    return page


def _policy(style: str, script: str) -> str:
    """A content security policy: this style and this script by their digests, pictures within the
    page, and no request of any kind."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _joined(names: Sequence[str]) -> str:
    return "\n".join(map(_asset, names))


def _asset(name: str) -> str:
    folder = resources.files("smoothcert.analysis.report") / "assets"
    return (folder / name).read_text(encoding="utf-8")
