"""The rule of a drawing is written down, and shares are proportional to a unit."""

import hashlib
import itertools
from fractions import Fraction

from smoothcert.engine.sources.selecting.sampling import apportioned, drawn, drawn_by_class


def test_the_rule_is_the_documented_one() -> None:
    """Whoever reads it in a manifest can draw again, without this package."""

    def rank(index: int) -> bytes:
        return hashlib.blake2b(b"sample 7 %d" % index, digest_size=8).digest()

    assert drawn(range(1000), 50, 7) == sorted(range(1000), key=rank)[:50]
    labels = {index: index // 500 for index in range(1000)}
    of_each = [sorted(range(start, start + 500), key=rank)[:25] for start in (0, 500)]
    assert drawn_by_class(labels, 50, 7) == sorted(of_each[0] + of_each[1], key=rank)


def test_the_drawing_never_changes() -> None:
    assert sorted(drawn(range(100), 8, 0)) == [4, 21, 26, 36, 42, 48, 88, 95]


def test_a_smaller_sample_is_part_of_a_larger_one_and_of_more_images() -> None:
    large = set(drawn(range(500), 100, 3))
    assert set(drawn(range(500), 20, 3)) < large
    assert set(drawn(range(400), 100, 3)) >= {index for index in large if index < 400}
    assert set(drawn(range(500), 100, 4)) != large
    assert set(drawn(range(10), 10, 0)) == set(range(10))


def test_a_drawing_is_fair() -> None:
    """Each of 40 images is in a quarter of 4,000 samples, to 5 standard deviations."""
    times = [0] * 40
    for seed in range(4000):
        for index in drawn(range(40), 10, seed):
            times[index] += 1
    assert all(abs(each - 1000) < 5 * 27.4 for each in times)


def test_every_apportionment_of_few_images() -> None:
    for sizes in itertools.product(range(5), repeat=3):
        total = sum(sizes)
        for count in range(total + 1) if total else ():
            shares = apportioned(dict(enumerate(sizes)), count)
            assert sum(shares.values()) == count
            quotas = [Fraction(count * size, total) for size in sizes]
            for label, (size, quota) in enumerate(zip(sizes, quotas, strict=True)):
                assert 0 <= shares[label] <= size
                assert abs(shares[label] - quota) < 1
            ups = [label for label in range(3) if shares[label] > quotas[label]]
            downs = [label for label in range(3) if shares[label] < quotas[label]]
            for up, down in itertools.product(ups, downs):
                remainders = quotas[up] % 1, quotas[down] % 1
                assert remainders[0] > remainders[1] or (
                    remainders[0] == remainders[1] and up < down
                )


def test_each_class_has_its_share() -> None:
    labels = {index: index % 3 if index < 90 else 3 for index in range(100)}
    found = drawn_by_class(labels, 20, 0)
    assert len(set(found)) == 20
    assert [sum(labels[index] == label for index in found) for label in range(4)] == [6, 6, 6, 2]
    of_class_1 = [index for index in found if labels[index] == 1]
    assert sorted(of_class_1) == sorted(drawn(range(1, 90, 3), 6, 0))
