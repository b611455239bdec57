"""What an open model is as a classifier: images in, classes out, and each image alone."""

from dataclasses import dataclass

from smoothcert.cli.diagnosis import commands
from smoothcert.cli.diagnosis.entry import Diagnosis, Entry, inferred, refused, sides_text
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.input_spec import InputSpec
from smoothcert.engine.models.kinds import Kind, kind_of
from smoothcert.engine.models.model import COMPOSITE, Model
from smoothcert.engine.models.row_independence.known import known_of
from smoothcert.export.datasets import DATASETS


def describe_classifier(model: Model, recorded: bool) -> list[Entry]:
    """What it is as a classifier: images in, classes out."""
    spec = model.spec
    batch = f"fixed at {model.batch}" if isinstance(model.batch, int) else "open"
    found = [
        Entry(
            "takes", sides_text(spec.shape), f"images, C x H x W; {model.input_type}, batch {batch}"
        ),
        Entry("classes", str(model.num_classes), f"labels 0..{model.num_classes - 1}"),
        Entry("precision", model.precision, "of its arithmetic, where a run does not say another"),
    ]
    if model.metadata.get("arch"):
        found.append(Entry("architecture", str(model.metadata["arch"]), "as its export recorded"))
    found += _composite(model)
    found += inferred(model.said)
    found.append(
        Entry("pixels", "recorded" if recorded else "not recorded", pixels_text(spec, recorded))
    )
    if not recorded:
        found += _likely(model)
    return found


def _composite(model: Model) -> list[Entry]:
    """The two networks of a denoiser in front of a classifier."""
    found = []
    for part in COMPOSITE:
        recorded = model.metadata.get(part)
        if isinstance(recorded, dict):
            sigma = f"; made for sigma {recorded['sigma']:g} alone" if "sigma" in recorded else ""
            note = f"sha256 {str(recorded.get('sha256'))[:16]}{sigma}"
            found.append(Entry(part, str(recorded.get("name")), note))
    return found


def sigma_of_denoiser(model: Model) -> float | None:
    """The only level of noise that a model with a denoiser in front can be certified at."""
    denoiser = model.metadata.get("denoiser")
    return denoiser.get("sigma") if isinstance(denoiser, dict) else None


def _likely(model: Model) -> list[Entry]:
    """The datasets that shape and classes remind of, with what is usual there."""
    names = [
        (name, dataset)
        for name, dataset in DATASETS.items()
        if (dataset.shape, dataset.num_classes) == (model.spec.shape, model.num_classes)
    ]
    found = []
    for name, dataset in names:
        usual = commands.typed({"mean": dataset.mean, "std": dataset.std})
        note = f"{usual} is usual there" if usual else "[0,1] pixels are usual there"
        note += ": give it only if the model was trained so, and does not normalise inside"
        found.append(Entry(f"{name}?", "hint", note))
    return found


def pixels_text(spec: InputSpec, recorded: bool = True) -> str:
    """What becomes of pixels and photographs; where it is not `recorded`, what may be said."""
    resized = (
        f"photographs: shorter side {spec.resize}, {spec.interpolation}, centre crop"
        if spec.resize
        else "images must have this size" + ("" if recorded else "; --resize S makes it")
    )
    return f"{_normalised(spec)}; {resized}"


def _normalised(spec: InputSpec) -> str:
    """What becomes of a pixel: a range where it is the same for all channels."""
    ends = {
        (-mean / std, (1 - mean) / std)
        for mean, std in zip(
            spec.mean or (0.0,) * spec.channels, spec.std or (1.0,) * spec.channels, strict=True
        )
    }
    if len(ends) == 1:
        low, high = (round(end, 4) + 0.0 for end in ends.pop())
        return f"0..255 become {low:g}..{high:g}"
    return f"mean {_numbers(spec.mean)}, std {_numbers(spec.std)} of [0,1] pixels"


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.4g}" for value in values) or "none"


@dataclass(frozen=True)
class Rows(Diagnosis):
    """Whether rows are independent; in batches of `batch` alone, where that is a number."""

    batch: int | None = None


def diagnose_rows(model: Model) -> Rows:
    """Whether an image's logits depend on that image alone, as far as the graph tells."""
    part = "row independence"
    own = model.batch if isinstance(model.batch, int) else None
    try:
        if kind_of(model.path) is not Kind.ONNX:
            note = "the graph is not read here: every run begins with a probe of it"
            return Rows((Entry(part, "probed", note),), True)
        known = known_of(model.path, model.sha256, model.spec.shape, own)
    except InputError as error:
        return _alone(model, error)
    note = "the graph shows that an image's logits depend on that image alone"
    if known.verdict == "probed":
        note = f"the graph does not show it ({known.reason}): every run begins with a probe"
    return Rows((Entry(part, known.verdict, note),), True)


def _alone(model: Model, error: InputError) -> Rows:
    """A graph that mixes rows: no classifier of one image, but perhaps in batches of one."""
    try:
        known_of(model.path, model.sha256, model.spec.shape, 1)
    except InputError:
        return Rows((refused(error),), False)
    note = "then a row has no neighbours to depend on: slow, and certified"
    return Rows((refused(error), Entry("option", "--batch 1", note)), True, batch=1)
