"""True files to begin the fuzzing of readers with; tests/helpers/hostile_files.py has those of
images and lists."""

import json
from pathlib import Path

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
    """A small file of each kind of weights, and OpenVINO IR where it can be written."""
    import torch
    from safetensors.torch import save_file

    state = {"weight": torch.zeros(4, 192), "bias": torch.zeros(4)}
    save_file(state, str(folder / "small.safetensors"))
    facts = {"arch": "small_cnn", "num_classes": 4, "input_shape": [3, 8, 8]}
    torch.save({"state_dict": state, **facts}, folder / "small.pth")
    try:
        import openvino
    except ImportError:
        return
    openvino.save_model(openvino.convert_model(str(folder / "model.onnx")), folder / "ir.xml")
