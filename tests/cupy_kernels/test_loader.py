"""The source text of the kernels, their names, and what is said when a part is missing."""

import re
import sys

import pytest
from host_runtime import all_kernels

from smoothcert.cupy_kernels import loader


def test_every_source_is_self_contained() -> None:
    for kernel in all_kernels():
        text = loader.source(kernel)
        assert "#include" not in text
        assert kernel.name in text
        definitions = re.findall(r"^#define SMOOTHCERT_\w+_CUH$", text, re.MULTILINE)
        assert len(definitions) == len(set(definitions))


def test_names_are_unique() -> None:
    names = [kernel.name for kernel in all_kernels()]
    assert len(set(names)) == len(names) == 6 * 3 * 2 + 3


def test_several_kernels_share_their_headers() -> None:
    text = loader.source(*all_kernels())
    assert text.count("struct alignas(16) Row") == 1
    assert text.count("#define SMOOTHCERT_PHILOX_CUH") == 1


@pytest.mark.parametrize(("layout", "scalar"), [("nhwc", "float32"), ("nchw", "float8")])
def test_unknown_variants_are_refused(layout: str, scalar: str) -> None:
    with pytest.raises(ValueError, match=r"is unknown: expected one of \w+, \w+"):
        loader.noise_add_kernel(layout, scalar, shared_guide=True)


def test_unknown_logits_are_refused() -> None:
    with pytest.raises(ValueError, match="number type 'int8' is unknown"):
        loader.vote_kernel("int8")


def test_guide_bytes_are_those_of_the_entries() -> None:
    assert loader.guide_bytes(14) == 65_536


def test_missing_cupy_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(loader.KernelError) as caught:
        loader.load(loader.vote_kernel("float32"))
    message = str(caught.value)
    assert "\n" not in message
    assert "pip install 'smoothcert[gpu]'" in message
