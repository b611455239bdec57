"""Pickles by hand: what one does is in its letters, whatever pickle.dumps would write."""

import io
import pickle
import struct
from pathlib import Path

import torch


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """A call of the function of a name."""
    return f"c{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def text(value: str) -> bytes:
    """A str."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def legacy(path: Path, content: bytes, module: str = "numpy._core.multiarray") -> None:
    """A file as torch wrote it before 1.6, with this pickle in it."""
    stream = io.BytesIO()
    torch.save({}, stream, _use_new_zipfile_serialization=False)
    whole = stream.getvalue()
    empty = pickle.dumps({}, protocol=2)
    head, found, tail = whole.rpartition(empty)
    assert found
    content = content.replace(b"numpy._core.multiarray", module.encode())
    path.write_bytes(head + content + tail)
