"""`export` from Python: a model as a one-file ONNX model, as the command of this name makes it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import Interpolation
from smoothcert.engine.base.outputs import check_output
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.models.model import open_onnx
from smoothcert.export.checkpoint_export import ExportReport, export_checkpoint
from smoothcert.export.composite.compose import compose
from smoothcert.export.composite.options import DenoiserOptions, Level
from smoothcert.export.foreign.exporting import export_onnx
from smoothcert.export.foreign.options import Layout, ModelOptions
from smoothcert.export.lines import checkpoint_lines
from smoothcert.export.opening import open_model
from smoothcert.export.precision.reduce import Precision, Reduction
from smoothcert.export.precision.watching import UNWATCHED, ExportWatcher
from smoothcert.numbers import numbers_of

_OF_ONNX = ("layout", "logits", "threshold")
_OF_WEIGHTS = ("arch", "dataset", "num_classes", "weights", "ignore")
_OF_BOTH = ("input_shape", "mean", "std", "input_range", "resize", "interpolation")
_OF_DENOISER = ("denoiser_range", "denoiser_shape", "diffusion", "denoiser_interpolation")

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Exported:
    """What was written to `path`.

    lines     what the command says of it: the input, what was inferred, how the votes agree
    warnings  what is likely to be a mistake
    """

    path: Path
    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([*self.lines, *(f"warning: {line}" for line in self.warnings)])


def export(
    model: str | Path | None,
    output: str | Path,
    *,
    arch: str | None = None,
    dataset: str | None = None,
    num_classes: int | None = None,
    input_shape: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    resize: int | None = None,
    interpolation: Interpolation | None = None,
    precision: Literal["fp32"] | Precision = "fp32",
    calibrate: str | Path | None = None,
    sigma: float | None = None,
    images: int = 64,
    target: Literal["cpu", "gpu"] = "cpu",
    max_zeta: float = 0.05,
    force: bool = False,
    weights: str | None = None,
    ignore: Sequence[str] = (),
    input_range: Sequence[float] | None = None,
    layout: Layout | None = None,
    logits: str | None = None,
    threshold: float | None = None,
    denoiser: str | None = None,
    denoiser_range: Sequence[float] | None = None,
    denoiser_shape: Sequence[int] | None = None,
    diffusion: str | None = None,
    denoiser_interpolation: str | None = None,
    watcher: ExportWatcher = UNWATCHED,
) -> Exported:
    """Export a model to ONNX and check that both vote alike on the same noisy images.

    model   a checkpoint, an ONNX file that others wrote, a folder of a Hugging Face image
            classifier or `hf:` and one; None where `arch` is the factory of a trained module
    output  where the ONNX file is written: a new path, or with `force` also an older file
    arch, dataset, num_classes, weights, ignore   of a checkpoint: see export_checkpoint
    layout, logits, threshold   of an ONNX file; with input_shape ... interpolation see ModelOptions
    precision, calibrate, sigma, images, target, max_zeta   see Reduction; `target` is the command's
            --for
    denoiser ...  see DenoiserOptions: the denoiser and the model as one network, for noise of
            `sigma` alone
    watcher told of the stages, and how far they are
    Raises InputError, in one line, for what does not fit together or cannot be exported; nothing is
    written to `output` then.
    """
    options = numbers_of(
        arch=arch, dataset=dataset, num_classes=num_classes, input_shape=input_shape, mean=mean,
        std=std, resize=resize, interpolation=interpolation, weights=weights, ignore=tuple(ignore),
        input_range=input_range, layout=layout, logits=logits, threshold=threshold,
        denoiser_range=denoiser_range, denoiser_shape=denoiser_shape, diffusion=diffusion,
        denoiser_interpolation=denoiser_interpolation,
    )  # fmt: skip
    given = numbers_of(sigma=sigma, images=images, max_zeta=max_zeta)
    path, out = None if model is None else Path(model), Path(output)
    check_output(
        out,
        replace=force,
        inputs=(path, calibrate, denoiser),
        choice="choose another output, or --force",
    )
    composite = None
    if denoiser is None:
        _refuse(
            options, _OF_DENOISER, "is of a denoiser, and there is none", "give --denoiser, or "
        )
    else:
        composite = _denoiser_options(denoiser, given["sigma"], options)
    reduction = None
    if precision != "fp32":
        # A composite's sigma is not for the calibration alone.
        level = given["sigma"] if composite is None or calibrate is not None else None
        source = None if calibrate is None else str(calibrate)
        reduction = Reduction(precision, source, level, target, given["max_zeta"], given["images"])
    elif calibrate is not None or (sigma is not None and composite is None):
        raise InputError(
            "calibrate and sigma have no use at fp32: give --precision too, or leave them out"
        )
    if composite is not None:
        return _composite(path, out, options, composite, reduction, watcher)
    if path is not None and _is_onnx(path):
        _refuse(options, _OF_WEIGHTS, f"is of a checkpoint, and {path} is an ONNX file")
        foreign = export_onnx(path, out, ModelOptions.among(options), reduction, watcher)
        return Exported(out, tuple(foreign.lines()))
    _refuse(options, _OF_ONNX, f"is of an ONNX file, and {path or arch} is none")
    report = export_checkpoint(path, out, **_own(options), reduction=reduction, watcher=watcher)
    return Exported(out, tuple(checkpoint_lines(report, reduction)), report.warnings)


def _own(options: Options) -> dict[str, Any]:
    """Those of a checkpoint."""
    return {name: options[name] for name in (*_OF_WEIGHTS, *_OF_BOTH)}


def _is_onnx(model: Path) -> bool:
    """Whether it is an ONNX file, by its bytes. Raises InputError for a model that needs no export:
    OpenVINO IR and plans."""
    if not model.is_file():  # hf:FOLDER, a folder, or nothing: said where it is read
        return False
    kind = kind_of(model)
    if kind in (Kind.OPENVINO, Kind.OPENVINO_FOLDER, Kind.PLAN):
        raise InputError(
            f"model {model} is {kind.value}, which cannot be exported: expected a checkpoint or an "
            "ONNX file; certify it as it is"
        )
    return kind is Kind.ONNX


def _denoiser_options(denoiser: str, sigma: float | None, options: Options) -> DenoiserOptions:
    if sigma is None:
        raise InputError(
            f"denoiser {denoiser} is given no sigma: expected the noise level that is certified, "
            "since a denoiser is made for one; give --sigma"
        )
    found = DenoiserOptions(
        str(denoiser),
        sigma,
        options["denoiser_range"],
        options["denoiser_shape"],
        options["diffusion"],
        options["denoiser_interpolation"] or "bicubic",
    )
    Level.of(found)  # refuse a schedule that is none before a classifier is made
    return found


def _composite(
    model: Path | None,
    output: Path,
    options: Options,
    denoiser: DenoiserOptions,
    reduction: Reduction | None,
    watcher: ExportWatcher,
) -> Exported:
    if model is None or not _is_onnx(model):
        return _composed_checkpoint(model, output, options, denoiser, reduction, watcher)
    _refuse(options, _OF_WEIGHTS, f"is of a checkpoint, and {model} is an ONNX file")
    classifier = open_model(model, ModelOptions.among(options))
    report = compose(classifier, output, denoiser, reduction=reduction, watcher=watcher)
    return Exported(output, (*classifier.said, *report.lines()))


def _composed_checkpoint(
    model: Path | None,
    output: Path,
    options: Options,
    denoiser: DenoiserOptions,
    reduction: Reduction | None,
    watcher: ExportWatcher,
) -> Exported:
    """The classifier's own export is a step on the way, which nobody sees by its path."""
    name = options["arch"] if model is None else model.name
    _refuse(options, _OF_ONNX, f"is of an ONNX file, and {name} is none")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.onnx"
        try:
            exported: ExportReport = export_checkpoint(
                model, path, **_own(options), watcher=watcher
            )
        except InputError as error:
            raise type(error)(str(error).replace(str(path), str(model or name))) from None
        sha256 = exported.checkpoint_sha256
        report = compose(open_onnx(path), output, denoiser, name=name, sha256=sha256,
                         reduction=reduction, watcher=watcher)  # fmt: skip
    before = checkpoint_lines(replace(exported, path=Path(str(name))), None)
    return Exported(output, (*before, *report.lines()), exported.warnings)


def _refuse(options: Options, names: tuple[str, ...], why: str, first: str = "") -> None:
    """Raise InputError for the first of `names` that was given."""
    for name in names:
        value = options[name]
        if value is not None and value != ():
            shown = value[0] if name == "ignore" else value
            shown = ",".join(map(str, shown)) if isinstance(shown, tuple) else shown
            spelled = "--" + name.replace("_", "-")
            raise InputError(f"{spelled} {shown} {why}: {first}leave it out")
