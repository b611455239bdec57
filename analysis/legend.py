"""What to call logs that are compared: by what differs between their runs."""

from collections.abc import Sequence
from typing import Any

from smoothcert.analysis.grid import printable
from smoothcert.analysis.log import Log
from smoothcert.analysis.table import distinct_names


def legend_labels(logs: Sequence[Log]) -> list[str]:
    """One label per log: model, sigma and precision from the manifests, where they differ.

    A log that no other manifest is compared with tells its model and sigma; one without a
    manifest goes by its file's name. Logs that would be called the same have it added. Table
    mode, an unfinished run and unequal numbers of images are said in brackets.
    """
    texts = _texts(logs)
    labels = []
    for log, name, text in zip(logs, distinct_names(logs), texts, strict=True):
        label = f"{text} ({name})" if text and texts.count(text) > 1 else text or name
        remarks = _remarks(log, len({len(log) for log in logs}) > 1)
        labels.append(printable(label) + (f" [{', '.join(remarks)}]" if remarks else ""))
    return labels


def _texts(logs: Sequence[Log]) -> list[str]:
    """What the manifests tell about each log; empty where there is none."""
    told = [log for log in logs if log.run]
    compared = len(told) == len(logs) > 1
    models = _models(told)
    sigmas = [None if log.sigma is None else f"σ = {log.sigma:g}" for log in told]
    precisions = [_string(_model(log), "precision") for log in told]
    columns = [values for values in (models, sigmas) if len(set(values)) > 1 or not compared]
    columns += [precisions] if len(set(precisions)) > 1 else []
    texts = iter([", ".join(filter(None, parts)) for parts in zip(*columns, strict=True)])
    return [next(texts, "") if log.run else "" for log in logs]


def _models(logs: Sequence[Log]) -> list[str | None]:
    """The architecture where it tells the models apart, else the model file's name."""
    models = [_model(log) for log in logs]
    labels = []
    for model in models:
        arch, name = _string(model, "arch"), _string(model, "name")
        twins = {_string(m, "sha256") for m in models if _string(m, "arch") == arch}
        labels.append(arch if arch and len(twins) == 1 else name or arch)
    return labels


def _model(log: Log) -> dict[str, Any]:
    model: dict[str, Any] = log.run.get("model", {})
    return model


def _string(model: dict[str, Any], key: str) -> str | None:
    value = model.get(key)
    return value if isinstance(value, str) and value else None


def _remarks(log: Log, sizes_differ: bool) -> list[str]:
    remarks = [] if log.table_radii is None else ["table mode"]
    if not log.complete:
        return [*remarks, f"running, {len(log)} images so far"]
    return [*remarks, f"{len(log)} images"] if sizes_differ else remarks
