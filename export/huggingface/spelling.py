"""How a user names a folder of a Hugging Face model."""

from pathlib import Path

from smoothcert.engine.models.kinds import Kind, kind_of

_PREFIX = "hf:"


def folder_of(name: Path | str | None) -> Path | None:
    """The folder that `hf:FOLDER`, or the path of a folder with a config.json, names; None of
    anything else."""
    text = str(name) if name is not None else ""
    if text.startswith(_PREFIX):
        return Path(text.removeprefix(_PREFIX))
    if isinstance(name, Path) and name.is_dir() and kind_of(name) is Kind.TRANSFORMERS_FOLDER:
        return name
    return None
