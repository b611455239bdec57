"""Drawing a sample of images by a rule that anyone can repeat, in any language, for ever.

An image's rank is the BLAKE2b of 8 bytes of the text "sample SEED INDEX", and a sample of m is the
m images of the smallest rank: no generator of a library's, whose stream may change between its
versions. So a smaller sample of the same seed is a part of a larger one, and an image's place in
line depends on no other image.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping


def drawn(indices: Iterable[int], count: int, seed: int) -> list[int]:
    """So many of the images, those of the smallest rank, in its order."""
    return heapq.nsmallest(count, indices, key=lambda index: _rank(seed, index))


def drawn_by_class(labels: Mapping[int, int], count: int, seed: int) -> list[int]:
    """So many of the images, from each class its share of the smallest rank, in the order of rank.
    The labels of all images are given."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, label in labels.items():
        members[label].append(index)
    shares = apportioned({label: len(found) for label, found in members.items()}, count)
    found = [
        index for label, share in shares.items() for index in drawn(members[label], share, seed)
    ]
    return sorted(found, key=lambda index: _rank(seed, index))


def apportioned(sizes: Mapping[int, int], count: int) -> dict[int, int]:
    """Shares of `count` in proportion to the classes' sizes, by largest remainder; of equal
    remainders the lower class has precedence. Count is at most their sum."""
    total = sum(sizes.values())
    shares = {label: count * size // total for label, size in sizes.items()}
    left = count - sum(shares.values())
    by_remainder = sorted(sizes, key=lambda label: (-(count * sizes[label] % total), label))
    for label in by_remainder[:left]:
        shares[label] += 1
    return shares


def _rank(seed: int, index: int) -> tuple[bytes, int]:
    """An image's place in line; of equal digests the lower index has precedence."""
    return hashlib.blake2b(f"sample {seed} {index}".encode(), digest_size=8).digest(), index
