"""Auditing a log: everything that can be recomputed is, and some images are certified again.

Nothing in a log or its manifest is believed that the auditor's own model file, images and code can
tell: a manifest may be as forged as a row.
"""

import math
import random
from dataclasses import dataclass

from smoothcert.engine.backends.base import Compute
from smoothcert.engine.base.doing import doing, each_of
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.wording import shown
from smoothcert.engine.log.arithmetic import check_arithmetic
from smoothcert.engine.log.manifest import FINISHED
from smoothcert.engine.log.rows import Certificate, columns_of
from smoothcert.engine.models.model import Model
from smoothcert.engine.noise.lattice import LatticeGaussian
from smoothcert.engine.noise.streams import fresh_seed
from smoothcert.engine.run.audit_manifest import LoggedRun
from smoothcert.engine.run.audit_rows import LoggedRows, read_rows_under_audit
from smoothcert.engine.run.audit_selection import reselected
from smoothcert.engine.run.beginning import described_run
from smoothcert.engine.run.execution import Job, describe_session
from smoothcert.engine.run.repeating import FOREIGN_TOLERANCE, LEAST_TOLERANCE, Repeated, repeat
from smoothcert.engine.run.repeats import is_bitwise
from smoothcert.engine.sources.base import FailedImage, ImageSource
from smoothcert.engine.sources.pixels import read_digests
from smoothcert.engine.sources.reading import decoded_ahead
from smoothcert.engine.sources.selecting.index_file import IndexFile
from smoothcert.engine.statistics.recorded import recorded_procedure

_HINT = "within the tolerance for another machine, which --another-machine allows"
_TUNED = ", and kernels that were chosen by measurement (tuned) need"


@dataclass(frozen=True)
class AuditReport:
    """What an audit did and found.

    rows      of the log, each checked by its own numbers and the pixels of its image
    repeated  of these, certified again
    exact     whether those had to be equal bit for bit (False: as another machine's)
    seed      chose them
    findings  one line for everything wrong
    remarks   what was not recomputed, for want of a file that the log names
    """

    rows: int
    repeated: int
    exact: bool
    seed: int
    findings: list[str]
    remarks: tuple[str, ...] = ()

    @property
    def manner(self) -> str:
        """How the repeated rows were compared."""
        if self.exact:
            return "compared bit for bit"
        return (
            f"another machine, compared within {FOREIGN_TOLERANCE:.1%} of the votes (at least "
            f"{LEAST_TOLERANCE}) at every look"
        )

    def escape(self, forged: int) -> float:
        """The probability, over the choice of rows, that none of so many forged ones was certified
        again: C(rows - forged, repeated) / C(rows, repeated)."""
        if not 0 <= forged <= self.rows:
            raise InputError(f"{forged} forged rows: expected 0 .. {self.rows}, the log's rows")
        left = math.comb(self.rows - forged, self.repeated)
        return left / math.comb(self.rows, self.repeated)


def audit_log(
    logged: LoggedRun,
    model: Model,
    source: ImageSource,
    *,
    reference: Model | None = None,
    indices: IndexFile | None = None,
    rows: int = 20,
    seed: int | None = None,
    another_machine: bool = False,
) -> AuditReport:
    """Recompute everything that a log and its manifest claim, compare the pixels of every row, and
    certify `rows` randomly chosen images again.

    model, reference  the files that the manifest names by their digests
    indices           the file of --indices, of a run that had one (None: what it lists is taken
                      from the manifest)
    seed              repeats an audit; None draws one. Rows must be chosen by what a forger could
                      not foresee
    another_machine   the log is another processor's or runtime's, where float rounding turns a few
                      votes: counts may differ by FOREIGN_TOLERANCE, and the logged trial must then
                      be one that counts so near to those counted here lead to, at every look. What
                      a log says of its machine is not asked: a forger would write what suits him

    A row that is found wrong is not certified again. Raises InputError where nothing can be
    audited: for another source, and a manifest that describes no run.
    """
    logged.check_source(source)
    law, tau = _law(logged, model)
    procedure = recorded_procedure({**logged.run, "total_variation": tau})
    job = Job(
        model=model,
        law=law,
        procedure=procedure,
        seed=logged.run["seed"],
        compute=Compute(
            backend=logged.run["backend"],
            device=logged.run["device"],
            precision=logged.run.get("precision"),
            batch=1 if logged.one_row else None,
        ),
        reference=reference,
    )
    seed = fresh_seed() if seed is None else seed
    again = reselected(logged, job, source, indices, another_machine=another_machine)
    with doing(f"reading {logged.log.name}"):
        found = read_rows_under_audit(
            logged.log,
            columns_of(logged.run),
            in_order=logged.manifest.get("status") in (*FINISHED, "partial"),
        )
    _check_pilot(logged, found)
    suspects = _check_rows(found, job, source)
    findings = [*found.findings, *again.findings]
    findings += logged.incomplete(again.selection, len(source), found.present)
    backend = job.open_backend()
    try:
        session = describe_session(backend)
        findings += logged.against(
            described_run(job, session, source, again.selection, logged.notes), [session]
        )
        # Rows without samples (a budget may leave some) have nothing to be certified again.
        drawn = {index for index, row in found.certificates.items() if row.decision.drawn}
        clean = sorted(drawn - suspects)
        chosen = random.Random(seed).sample(clean, min(rows, len(clean)))
        images = decoded_ahead(source, sorted(chosen))
        repeated = repeat(backend, procedure, model.num_classes, images, found.certificates)
        for each in each_of(repeated, "certifying images again", len(chosen)):
            findings += _judge(each, another_machine, logged.tuned)
            findings += turned_votes(each.again, another_machine, is_bitwise(session["backend"]))
    finally:
        backend.close()
    return AuditReport(
        len(found.present), len(chosen), not another_machine, seed, findings, again.remarks
    )


def _law(logged: LoggedRun, model: Model) -> tuple[LatticeGaussian, float]:
    """The noise, and its total variation over an image: never the manifest's word for it."""
    try:
        law = LatticeGaussian(logged.run["sigma"])
        return law, law.total_variation(model.spec.num_pixels)
    except (ArithmeticError, ValueError) as error:
        raise InputError(f"sigma {logged.run['sigma']} of the manifest: {error}") from None


def _check_pilot(logged: LoggedRun, found: LoggedRows) -> None:
    """Raise InputError for more pilot samples than any row drew: what would be planned for each of
    their counts takes for ever."""
    most = max((row.decision.drawn for row in found.certificates.values()), default=None)
    n0 = logged.run.get("n0", 0)
    if most is not None and n0 > most:
        raise InputError(f"n0 {n0} of the manifest is more than any row has drawn: was it edited?")


def _check_rows(found: LoggedRows, job: Job, source: ImageSource) -> set[int]:
    """Add what is wrong with rows by their numbers, labels and pixels; returns the images of these
    rows."""
    wrong: dict[int, list[str]] = {}
    rows = found.certificates
    for index, row in each_of(rows.items(), "recomputing rows", len(rows)):
        if index >= len(source):
            wrong[index] = [f"image {index}: is not in the source of {len(source)}"]
            continue
        problems = check_arithmetic(row, found.fields[index], job.procedure, job.model.num_classes)
        if row.label != source.label(index):
            problems.append(
                f"image {index}: label {shown(row.label)} where the source says "
                f"{source.label(index)}"
            )
        if problems:
            wrong[index] = problems
    inside = sorted(index for index in found.certificates if index < len(source))
    for image in each_of(read_digests(source, inside), "comparing pixels", len(inside)):
        digest = found.certificates[image.index].digest
        if isinstance(image, FailedImage):
            problem = f"cannot be read ({image.reason})"
        elif image.digest != digest:
            problem = f"pixels {digest} where the source's are {image.digest}"
        else:
            continue
        wrong.setdefault(image.index, []).append(f"image {image.index}: {problem}")
    for index in sorted(wrong):
        found.findings += wrong[index]
    return set(wrong)


def _judge(each: Repeated, another_machine: bool, tuned: bool) -> list[str]:
    """What is wrong with a row whose image was certified again."""
    if each.same:
        return []
    if not another_machine:
        hint = f"; {_HINT}{_TUNED if tuned else ''}" if each.objection is None else ""
        return [each.words() + hint]
    if each.objection is None:
        return []
    return [f"{each.words()}: {each.objection}, whatever turned within the tolerance"]


def turned_votes(again: Certificate, another_machine: bool, bitwise: bool) -> list[str]:
    """What is wrong where a vote was another when its row was drawn a second time here."""
    if not again.turned or (another_machine and not bitwise):
        return []
    words = f"{again.turned} of {again.repeated} rows drawn twice here got another vote"
    return [f"image {again.index}: {words}{'' if bitwise else f'; {_HINT}'}"]
