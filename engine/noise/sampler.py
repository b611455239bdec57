"""The CPU sampler of the noise law: numba, all cores, bit-exact with statistics.md section 8.

Work is cut into units of one row and _BLOCKS Philox blocks, whose buffers stay in the first-level
cache, and each stage is a loop the compiler can turn into vector instructions: words, table
look-up, comparison, affine. Only the rare pixel whose 32-bit word does not decide takes the exact
scalar path.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from smoothcert.engine.base.compiling import compiled
from smoothcert.engine.base.cores import cores_for, usable_cores
from smoothcert.engine.base.ranges import DRAWN, INDEX, PIXELS, PURPOSE, SAMPLE_INDEX
from smoothcert.engine.noise.streams import REFINEMENT, check_seed, counters
from smoothcert.engine.noise.table import NoiseTable

_BLOCKS = 256
_CHUNK, _CHUNKS_EACH = 64, 4
"""Units at a time, at least (.1 ms or so, which is what waking a thread takes), and how many chunks
a thread should get where there is more to do."""
# A mark on ranks: 2J <= 18,768 leaves the top bit free.
_UNDECIDED = np.uint16(0x8000)
_ANY_UNDECIDED = np.uint64(0x8000800080008000)

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_MASK, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


# 32-bit words live in uint64 lanes: the 32 x 32 -> 64 multiply is then one vector instruction.
@compiled(nogil=True)
def _philox_words(
    first_block: Any, blocks: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, words: Any
) -> None:
    """Philox4x32-10 (Salmon et al. 2011) of `blocks` consecutive counters into words [4 blocks]."""
    for block in range(blocks):
        x0 = np.uint64(first_block + block) & _MASK
        x1, x2, x3 = c1, c2, c3
        key_0, key_1 = k0, k1
        for _ in range(10):
            product_0 = x0 * _MULTIPLIER_0
            product_1 = x2 * _MULTIPLIER_1
            x0 = (product_1 >> _32) ^ x1 ^ key_0
            x2 = (product_0 >> _32) ^ x3 ^ key_1
            x1 = product_1 & _MASK
            x3 = product_0 & _MASK
            key_0 = (key_0 + _WEYL_0) & _MASK
            key_1 = (key_1 + _WEYL_1) & _MASK
        words[4 * block] = np.uint32(x0)
        words[4 * block + 1] = np.uint32(x1)
        words[4 * block + 2] = np.uint32(x2)
        words[4 * block + 3] = np.uint32(x3)


@compiled(nogil=True)
def _refined_rank(
    word: Any, pixel: Any, first: Any, thresholds: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any
) -> Any:
    """The number of 64-bit thresholds <= U, where U's low word is drawn only if it matters."""
    high = np.uint64(word)
    count = np.int64(first)
    while count < len(thresholds) and thresholds[count] >> _32 < high:
        count += 1
    if count < len(thresholds) and thresholds[count] >> _32 == high:
        refinement = np.empty(4, np.uint32)
        _philox_words(pixel // 4, 1, c1, c2, c3 + np.uint64(REFINEMENT), k0, k1, refinement)
        uniform = (high << _32) | np.uint64(refinement[pixel % 4])
        while count < len(thresholds) and thresholds[count] <= uniform:
            count += 1
    return count


@compiled(nogil=True)
def _look_up(words: Any, entries: Any, low_bits: Any, count: Any, found: Any) -> None:
    """The table entry of every word's bucket: the only stage that is not vector arithmetic."""
    for i in range(count):
        found[i] = entries[words[i] >> low_bits]


@compiled(nogil=True)
def _decide(words: Any, found: Any, low_bits: Any, count: Any, ranks: Any) -> None:
    """The rank (thresholds <= U) where at most one threshold lies in the bucket, else the mark."""
    low_mask = np.uint32((1 << low_bits) - 1)
    several = np.uint32((1 << (32 - low_bits)) - 1)
    for i in range(count):
        low = words[i] & low_mask
        threshold = found[i] & low_mask
        base = found[i] >> low_bits
        rank = np.uint16(base) + np.uint16(low > threshold)
        undecided = (low == threshold) | (base == several)
        ranks[i] = _UNDECIDED if undecided else np.uint16(rank)


@compiled(nogil=True)
def _rank_unit(
    first_block: Any,
    blocks: Any,
    c1: Any,
    c2: Any,
    c3: Any,
    k0: Any,
    k1: Any,
    thresholds: Any,
    guide_bits: Any,
    entries: Any,
    first: Any,
    words: Any,
    found: Any,
    ranks: Any,
    quads: Any,
) -> None:
    """N + J of the pixels of `blocks` blocks of one sample into ranks, uint16 [4 _BLOCKS].

    quads is the same memory as uint64, one Philox block each: a quick look for marks.
    """
    _philox_words(first_block, blocks, c1, c2, c3, k0, k1, words)
    low_bits = np.uint32(32 - guide_bits)
    _look_up(words, entries, low_bits, 4 * blocks, found)
    _decide(words, found, low_bits, 4 * blocks, ranks)
    for block in range(blocks):
        if quads[block] & _ANY_UNDECIDED:
            for i in range(4 * block, 4 * block + 4):
                if ranks[i] == _UNDECIDED:
                    ranks[i] = _refined_rank(
                        words[i],
                        4 * first_block + i,
                        first[words[i] >> low_bits],
                        thresholds,
                        c1,
                        c2,
                        c3,
                        k0,
                        k1,
                    )


@compiled(nogil=True)
def _copy_noise(ranks: Any, half_width: Any, noise: Any) -> None:
    for i in range(len(noise)):
        noise[i] = np.int16(ranks[i]) - half_width


@compiled(nogil=True)
def _add_noise(
    image: Any, ranks: Any, half_width: Any, scale: Any, shift: Any, target: Any
) -> None:
    """target = scale * (u + N) + shift in float32: multiply, round, add, round. Never fused, so
    that every machine agrees."""
    for i in range(len(target)):
        noisy = np.int16(np.int16(image[i]) + np.int16(ranks[i]) - half_width)
        target[i] = np.float32(scale * np.float32(noisy)) + shift


@compiled(nogil=True)
def _rows_kernel(
    begin: Any,
    end: Any,
    pixels: Any,
    counters: Any,
    k0: Any,
    k1: Any,
    thresholds: Any,
    guide_bits: Any,
    entries: Any,
    first: Any,
    images: Any,
    slots: Any,
    scale: Any,
    shift: Any,
    inputs: Any,
    noise_out: Any,
) -> None:
    """Units begin .. end - 1 of all rows. With images: inputs = scale * (u + N) + shift, float32;
    without (an empty array): the bare noise into noise_out."""
    words = np.empty(4 * _BLOCKS, np.uint32)
    found = np.empty(4 * _BLOCKS, np.uint32)
    ranks = np.empty(4 * _BLOCKS, np.uint16)
    quads = ranks.view(np.uint64)
    half_width = np.int16(len(thresholds) // 2)
    blocks_per_row = (pixels + 3) // 4
    units_per_row = (blocks_per_row + _BLOCKS - 1) // _BLOCKS
    plane = max(pixels // len(scale), 1)
    for unit in range(begin, end):
        row = unit // units_per_row
        first_block = (unit - row * units_per_row) * _BLOCKS
        blocks = min(_BLOCKS, blocks_per_row - first_block)
        _rank_unit(
            first_block,
            blocks,
            np.uint64(counters[0, row]),
            np.uint64(counters[1, row]),
            np.uint64(counters[2, row]),
            k0,
            k1,
            thresholds,
            guide_bits,
            entries,
            first,
            words,
            found,
            ranks,
            quads,
        )
        start = 4 * first_block
        stop = min(start + 4 * blocks, pixels)
        if len(images) == 0:
            _copy_noise(ranks, half_width, noise_out[row, start:stop])
            continue
        image, target = images[slots[row]], inputs[row]
        while start < stop:
            channel = start // plane
            end_of_run = min(stop, (channel + 1) * plane)
            _add_noise(
                image[start:end_of_run],
                ranks[start - 4 * first_block :],
                half_width,
                scale[channel],
                shift[channel],
                target[start:end_of_run],
            )
            start = end_of_run


@lru_cache(maxsize=4)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="smoothcert-noise")


def _run(units: int, threads: int, arguments: tuple[Any, ...]) -> None:
    """Work units off on the calling thread and up to threads - 1 others.

    Whoever is free takes the next chunk: a thread that wakes late, because its core is still busy
    with the end of the network's run, is not waited for.
    """
    size = max(_CHUNK, units // (_CHUNKS_EACH * threads))
    starts = iter(range(0, units, size))  # a step of it is one bytecode: threads may share it

    def work() -> None:
        for start in starts:
            _rows_kernel(start, min(start + size, units), *arguments)

    helpers = min(threads, -(-units // size)) - 1
    others = [_pool(threads - 1).submit(work) for _ in range(helpers)]
    work()
    for other in others:
        if not other.cancel():
            other.result()


def _units(rows: int, pixels: int) -> int:
    return int(rows * -(-pixels // (4 * _BLOCKS)))


def _key(seed: int) -> tuple[np.uint64, np.uint64]:
    check_seed(seed)
    return np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)


_NO_IMAGES = np.empty((0, 0), np.uint8)
_NO_SLOTS = np.empty(0, np.int32)
_NO_INPUTS = np.empty((0, 0), np.float32)
_NO_NOISE = np.empty((0, 0), np.int16)
_UNIT_SCALE = np.ones(1, np.float32)


def draw_noise(
    table: NoiseTable,
    seed: int,
    image_id: int,
    first_sample: int,
    num_samples: int,
    num_pixels: int,
    purpose: int,
) -> npt.NDArray[np.int16]:
    """The noise of consecutive samples of one image: int16 [num_samples, num_pixels].

    See LatticeGaussian.sample.
    """
    image_id = INDEX.whole_number(image_id, "image id")
    first_sample = SAMPLE_INDEX.whole_number(first_sample, "first sample")
    num_samples = DRAWN.whole_number(num_samples, "num_samples")
    num_pixels = PIXELS.whole_number(num_pixels, "num_pixels")
    purpose = PURPOSE.whole_number(purpose)
    if num_samples:
        SAMPLE_INDEX.check(first_sample + num_samples - 1)
    samples = np.arange(first_sample, first_sample + num_samples, dtype=np.int64)
    noise = np.empty((num_samples, num_pixels), np.int16)
    if num_samples:
        _run(
            _units(num_samples, num_pixels),
            usable_cores(),
            (
                num_pixels,
                counters(samples, image_id, purpose),
                *_key(seed),
                table.thresholds,
                table.guide_bits,
                table.entries,
                table.first,
                _NO_IMAGES,
                _NO_SLOTS,
                _UNIT_SCALE,
                _UNIT_SCALE,
                _NO_INPUTS,
                noise,
            ),
        )
    return noise


class RowSampler:
    """Fills a network's input buffer with noisy images: the fused add of the CPU path.

    table   of the noise law
    seed    64-bit key of the generator
    scale, shift  float32 [C]: InputSpec.affine()
    threads cores to use; None for all usable ones
    """

    def __init__(
        self,
        table: NoiseTable,
        seed: int,
        scale: npt.NDArray[np.float32],
        shift: npt.NDArray[np.float32],
        threads: int | None = None,
    ) -> None:
        self._fixed = (
            *_key(seed),
            table.thresholds,
            table.guide_bits,
            table.entries,
            table.first,
        )
        self._scale, self._shift = scale, shift
        self._threads = cores_for(threads)

    def fill(
        self,
        images: npt.NDArray[np.uint8],
        slots: npt.NDArray[np.int32],
        counters: npt.NDArray[np.uint32],
        inputs: npt.NDArray[np.float32],
    ) -> None:
        """inputs[r] = scale * (images[slots[r]] + N_r) + shift for every row r of slots.

        images    uint8 [slots, pixels], pixels in CHW order
        counters  uint32 [3, rows]: sample index, image id, purpose of each row
        inputs    float32 [>= rows, pixels], written in place
        """
        rows, pixels = len(slots), images.shape[1]
        _run(
            _units(rows, pixels),
            self._threads,
            (
                pixels,
                counters,
                *self._fixed,
                images,
                slots,
                self._scale,
                self._shift,
                inputs,
                _NO_NOISE,
            ),
        )
