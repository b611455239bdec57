"""What `export` prints of a model, whatever it was made from."""

from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.export.checkpoint_export import ExportReport
from smoothcert.export.precision.reduce import ReducedModel, Reduction

_ALPHA = 0.001


def checkpoint_lines(report: ExportReport, reduction: Reduction | None) -> list[str]:
    """What to print of an exported checkpoint, its warnings aside."""
    spec = report.spec
    return [
        f"{report.path}: {report.arch}, {report.num_classes} classes, input {spec.shape}",
        *([f"assumed {report.assumed}"] if report.assumed else []),
        *report.said,
        preprocessing_line(spec),
        f"checkpoint sha256 {report.checkpoint_sha256}",
        report.parity.line(),
        *([] if report.reduced is None else reduced_lines(report.reduced, reduction)),
    ]


def preprocessing_line(spec: InputSpec) -> str:
    """What to print of a model's input."""
    return f"normalisation mean {spec.mean or 'none'}, std {spec.std or 'none'}; " + (
        photographs_line(spec)
    )


def photographs_line(spec: InputSpec) -> str:
    """What to print of how photographs become it."""
    resize = f"resize {spec.resize} {spec.interpolation}" if spec.resize else "as they are"
    return f"photographs: {resize}"


def reduced_lines(reduced: ReducedModel, reduction: Reduction | None) -> list[str]:
    """What to print of a model of lower precision."""
    found = reduced.disagreement
    kept = [*reduced.kept] if reduced.found.form.between else ["all between layers", *reduced.kept]
    lines = [f"kept in float32: {', '.join(kept)}"] if kept else []
    if reduced.found.cut_short:
        lines.append("the search for these layers ended at its bound: fewer might do")
    worst = found.zeta_upper_per_image(_ALPHA).max()
    precision, source = (reduction.precision, reduction.calibrate) if reduction else ("reduced", "")
    return [
        *reduced.said,
        *lines,
        f"{precision} against fp32 on {found.total} noisy images"
        + (f" of {source}" if source else ", random pixels")
        + f", sigma {found.sigma}: zeta {found.zeta:.4f} of the votes differ, at most "
        f"{found.zeta_upper(_ALPHA):.4f} with confidence {1 - _ALPHA:g}; of the worst "
        f"image {found.counts.max() / found.samples:.4f}, at most {worst:.4f}",
    ]
