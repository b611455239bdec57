"""--skip, --max and --shard, and images that were chosen before they are."""

import json
from dataclasses import replace

import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.selecting.runs import Runs
from smoothcert.engine.sources.selection import Selection


def test_skip_and_max_as_in_the_original_but_max_counts_certified_images() -> None:
    assert list(Selection().indices(4)) == [0, 1, 2, 3]
    assert list(Selection(skip=20, limit=3).indices(10_000)) == [0, 20, 40]
    assert list(Selection(skip=3).indices(7)) == [0, 3, 6]
    assert list(Selection(limit=99).indices(2)) == [0, 1]
    assert list(Selection().indices(0)) == []


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_partition_the_selection(shards: int) -> None:
    whole = list(Selection(skip=2, limit=11).indices(100))
    parts = [list(Selection(2, 11, i, shards).indices(100)) for i in range(shards)]
    assert sorted(index for part in parts for index in part) == whole
    assert parts[0] == whole[::shards]


def test_options() -> None:
    assert Selection.of_options(1, -1, "2/5") == Selection(1, -1, 2, 5)


@pytest.mark.parametrize("shard", ["", "1", "a/b", "5/5", "1/0", "-1/3", "1/2/3"])
def test_bad_shards_are_refused(shard: str) -> None:
    with pytest.raises(InputError, match="shard"):
        Selection.of_options(1, -1, shard)


@pytest.mark.parametrize(("skip", "limit"), [(0, -1), (-1, -1), (1, 0), (1, -2)])
def test_bad_skip_and_max_are_refused(skip: int, limit: int) -> None:
    with pytest.raises(InputError, match=r"skip|max"):
        Selection(skip, limit)


CHOSEN = Selection(
    2, 9, 1, 3, Runs.of([1, 2, 3, 7, 8, 20]), {"sample": 6, "indices": {"name": "a"}}
)


def test_chosen_images_stand_for_everything_but_the_shard() -> None:
    assert list(CHOSEN.indices(21)) == [2, 8]
    assert list(CHOSEN.whole.indices(21)) == [1, 2, 3, 7, 8, 20]
    parts = [replace(CHOSEN, shard=i) for i in range(3)]
    assert sorted(i for part in parts for i in part.indices(21)) == [1, 2, 3, 7, 8, 20]
    with pytest.raises(InputError, match="image 20 is chosen, of a source of 20 images"):
        CHOSEN.indices(20)


def test_a_description_is_the_selection() -> None:
    described = json.loads(json.dumps(CHOSEN.describe()))
    assert described == {
        "skip": 2, "max": 9, "shard": 1, "shards": 3, "sample": 6, "indices": {"name": "a"},
        "chosen": "1-3,7-8,20",
    }  # fmt: skip
    assert Selection.of_description(described) == CHOSEN
    plain = Selection(2, 9, 1, 3)
    assert plain.describe() == {"skip": 2, "max": 9, "shard": 1, "shards": 3}
    assert Selection.of_description({**plain.describe(), "more": 1}) == plain


@pytest.mark.parametrize("chosen", [1, ["0"], "", "3-1", {}])
def test_a_description_of_other_images_is_refused(chosen: object) -> None:
    with pytest.raises(InputError, match=r"expected (runs )?such as 0-3,7,9"):
        Selection.of_description({**Selection().describe(), "chosen": chosen})
