"""What a log's manifest says was certified, in words for a reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from smoothcert.analysis.log import Log
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.selection import Selection

NOT_RECORDED = "not recorded"
_LONGEST = 400

_PROCEDURES = {
    "certify": "CERTIFY (fixed n)",
    "predict": "PREDICT (fixed n)",
    "table": "table mode (group-sequential tests at given radii)",
    "radius": "radius mode (a pilot plans the samples)",
    "transfer": "certificates transferred to a reference model",
}


@dataclass(frozen=True)
class Facts:
    """What was certified, as (name, value) pairs; one list of pairs per session of the run."""

    run: list[tuple[str, str]]
    sessions: list[list[tuple[str, str]]]


def plain(value: object) -> str:
    """A value from a file as one line of printable text of bounded length.

    What does not print (control characters, direction marks, halves of surrogate pairs) could
    disguise a name; it becomes U+FFFD.
    """
    if value is None or value == "":
        return NOT_RECORDED
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:.15g}"
    elif isinstance(value, list | tuple):
        text = ", ".join(plain(v) for v in value[:100]) + (", ..." if len(value) > 100 else "")
    elif isinstance(value, dict):
        text = ", ".join(f"{key} {plain(v)}" for key, v in islice(value.items(), 100))
    else:
        text = str(value)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return "".join(c if c.isprintable() else "�" for c in text)


def facts(log: Log) -> Facts:
    """What the manifest of a log records; no paths, which are nobody's business in a report."""
    run, model, source = log.run, _part(log.run, "model"), _part(log.run, "source")
    procedure = run.get("procedure")
    sessions: list[dict[str, Any]] = (log.manifest or {}).get("sessions", [])
    runtimes = {plain(_part(s, "backend").get("runtime")) for s in sessions}
    pairs: list[tuple[str, object]] = [
        ("model", model.get("name")),
        ("architecture", model.get("arch")),
        ("model digest (SHA-256)", model.get("sha256")),
        ("classes", model.get("classes")),
        ("precision", model.get("precision")),
        *_reference(run),
        ("row independence", log.row_independence or None),
        ("procedure", _PROCEDURES.get(str(procedure), procedure)),
        ("sigma", run.get("sigma")),
        ("alpha", run.get("alpha")),
        ("n0", run.get("n0")),
        ("n", run.get("n")),
        *((name.replace("_", " "), run[name]) for name in _OPTIONAL if name in run),
        ("seed", run.get("seed")),
        ("noise", run.get("noise")),
        ("backend", ", ".join(sorted(runtimes)) or run.get("backend")),
        ("device", run.get("device")),
        ("source", source.get("name")),
        ("source digest (SHA-256)", source.get("digest")),
        ("images", _selected(run)),
    ]
    return Facts(
        [(name, plain(value)) for name, value in pairs],
        [_session(session) for session in sessions],
    )


_OPTIONAL = (
    "bound", "alpha_runner_up", "radii", "setting", "tolerance", "samples_price", "label_aware",
    "family_wise", "alpha_zeta", "n_zeta",
)  # fmt: skip


def _reference(run: Mapping[str, Any]) -> list[tuple[str, object]]:
    if "transfer_to" not in run:
        return []
    reference = _part(run, "transfer_to")
    return [
        ("reference model", reference.get("name")),
        ("reference digest (SHA-256)", reference.get("sha256")),
    ]


def images_selected(log: Log) -> int | None:
    """How many images the run is to certify, where the manifest tells."""
    try:
        chosen = Selection.of_description(_part(log.run, "selection"))
        return len(chosen.indices(_part(log.run, "source")["images"]))
    except (KeyError, InputError):  # not recorded, and a choice that is none
        return None


def _selected(run: Mapping[str, Any]) -> str | None:
    source, selection = _part(run, "source"), _part(run, "selection")
    if "images" not in source:
        return None
    words = [f"{plain(source['images'])} in the source"]
    if "indices" in selection:
        words.append(f"those in {plain(_part(selection, 'indices').get('name'))}")
    if "sample" in selection:
        drawn = f"a {'stratified ' if selection.get('stratified') is True else ''}sample of"
        seed = plain(selection.get("sample_seed"))
        words.append(f"{drawn} {plain(selection['sample'])} (sample seed {seed})")
    if selection.get("skip", 1) != 1:
        words.append(f"every {plain(selection['skip'])}th of them")
    if "only_correct" in selection:
        outcome = _part(selection, "only_correct")
        words.append(
            f"{plain(outcome.get('correct'))} of {plain(outcome.get('tried'))} that are classified "
            "correctly without noise"
        )
    if selection.get("max", -1) != -1:
        words.append(f"at most {plain(selection['max'])}")
    if selection.get("shards", 1) != 1:
        words.append(f"shard {plain(selection.get('shard'))}/{plain(selection['shards'])}")
    return ", ".join(words)


def _session(session: Mapping[str, Any]) -> list[tuple[str, str]]:
    backend = _part(session, "backend")
    pairs = {
        "processor": session.get("processor"),
        "cores": session.get("cores"),
        "system": session.get("system"),
        **backend,
        "Python": session.get("python"),
        "packages": session.get("packages"),
    }
    return [(plain(name), plain(value)) for name, value in islice(pairs.items(), 100)]


def _part(mapping: Mapping[str, Any], name: str) -> dict[str, Any]:
    part: dict[str, Any] = mapping.get(name, {})
    return part
