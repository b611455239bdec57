"""True files to begin the fuzzing of readers with: small ones, of every kind that is read."""

import io
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

METADATA = json.dumps(
    {"arch": "small_cnn", "dataset": "fashion-mnist", "num_classes": 4, "precision": "fp32",
     "checkpoint_sha256": "0" * 64, "input_shape": [3, 8, 8], "mean": [0.5, 0.4, 0.3],
     "std": [0.2, 0.2, 0.2], "resize": 10, "interpolation": "bilinear",
     "quantization": {"target": "cpu"}, "said": ["a sentence"]}
).encode()  # fmt: skip
"""What `export` writes into an ONNX file of itself."""

FOREIGN = {
    "cohen": b"idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t3\t0.5\t1\t0:00:01.5\n",
    "csv": b"index,label,prediction,radius\n0,1,1,0.25\n1,0,-1,0\n",
    "bare": b"0 3 3 0.5 1\n1 2 -1 0.0 0\n",
}
"""Logs of other programs."""

PLAN = b"ptrt, and what an engine is made of"

CONFIG = json.dumps(
    {"architectures": ["ResNetForImageClassification"], "model_type": "resnet",
     "id2label": {"0": "a", "1": "b"}, "num_labels": 2, "num_channels": 3, "depths": [1, 1]}
).encode()  # fmt: skip
"""config.json of a folder of transformers."""

PROCESSOR = json.dumps(
    {"image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True,
     "do_normalize": True, "size": {"height": 8, "width": 8}, "resample": 2,
     "rescale_factor": 1 / 255, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
).encode()  # fmt: skip
"""preprocessor_config.json of such a folder."""

INDEX = json.dumps({"weight_map": {"a": "part1.safetensors", "b": "part2.safetensors"}}).encode()
"""Which file of a folder of transformers holds which weights."""


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """An array as a file."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def plan_record() -> bytes:
    """What lies beside a TensorRT plan."""
    import hashlib

    from smoothcert.engine.backends.tensorrt.plan import PlanRecord
    from smoothcert.engine.base.input_spec import InputSpec

    record = PlanRecord(
        sha256=hashlib.sha256(PLAN).hexdigest(), size=len(PLAN), runtime="tensorrt",
        version="11.4.0.106", gpu="NVIDIA H200", targets=("sm90",), compatibility="none",
        version_compatible=False, batch=256, num_classes=10,
        spec=InputSpec(3, 32, 32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)), input_name="input",
        input_scalar="float16", logits_name="logits", logits_scalar="float32", precision="fp16",
        tf32=True, model={"arch": "cifar_resnet110", "onnx_sha256": "ab"}, build={"seconds": 1.5},
    )  # fmt: skip
    return record.to_json().encode()


def write_samples(folder: Path) -> None:
    """A small file of each kind of source and of weights."""
    import pyarrow as pa
    import torch
    from pyarrow import parquet
    from safetensors.torch import save_file

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(2)
    np.savez(folder / "tiny.npz", images=pixels, labels=labels)
    np.savez_compressed(folder / "packed.npz", images=pixels, labels=labels)
    encoded = {}
    for suffix in ("png", "jpg", "webp", "tif", "gif", "bmp", "ppm"):
        Image.fromarray(pixels[0]).save(folder / f"x.{suffix}")
        encoded[suffix] = (folder / f"x.{suffix}").read_bytes()
    (folder / "flat").mkdir()
    for number in range(2):
        Image.fromarray(pixels[number]).save(folder / "flat" / f"{number}.png")
    with tarfile.open(folder / "x.tar", "w") as archive:
        for name, content in (("0.jpg", encoded["jpg"]), ("0.cls", b"1"), ("1.png", encoded["png"]),
                              ("1.json", json.dumps({"label": 0}).encode())):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    images = [{"bytes": encoded["png"], "path": "a.png"}] * 2
    parquet.write_table(pa.table({"image": images, "label": [0, 1]}), folder / "x.parquet")
    idx = b"\0\0\x08\x03" + b"".join(size.to_bytes(4, "big") for size in (2, 8, 8))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx + pixels[..., 0].tobytes())
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\0\1")
    rows = rng.integers(0, 256, (2, 3072)).astype(np.uint8)
    batch = {b"data": rows, b"labels": [0, 1], b"batch_label": b"1", b"filenames": [b"a", b"b"]}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, 2))
    (folder / "test_batch.bin").write_bytes(
        b"".join(bytes([k]) + rows[k].tobytes() for k in (0, 1))
    )
    state = {"weight": torch.zeros(4, 192), "bias": torch.zeros(4)}
    save_file(state, str(folder / "small.safetensors"))
    facts = {"arch": "small_cnn", "num_classes": 4, "input_shape": [3, 8, 8]}
    torch.save({"state_dict": state, **facts}, folder / "small.pth")
    try:
        import openvino
    except ImportError:
        return
    openvino.save_model(openvino.convert_model(str(folder / "model.onnx")), folder / "ir.xml")
