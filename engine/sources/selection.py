"""Which images of a source a run certifies: --skip, --max and --shard, and subsets (selecting/)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import MAX_IMAGES, SHARDS, SKIP
from smoothcert.engine.base.wording import shown
from smoothcert.engine.sources.selecting.runs import Runs

_OF_A_SUBSET = ("indices", "sample", "stratified", "sample_seed", "only_correct")


@dataclass(frozen=True)
class Selection:
    """Every `skip`-th image, the first `limit` of those (-1: all), and of these every `shards`-th
    beginning with number `shard` (from 0).

    chosen  where a subset (selecting/subset.py) has a part in it: the outcome of everything but the
            shard, which skip and limit then only record; engine/run/selecting.py says in what order
    how     what the manifest records of that subset
    """

    skip: int = 1
    limit: int = -1
    shard: int = 0
    shards: int = 1
    chosen: Runs | None = None
    how: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what selects nothing by construction."""
        SKIP.check(self.skip)
        MAX_IMAGES.check(self.limit)
        SHARDS.check(self.shards)
        if not 0 <= self.shard < self.shards:
            raise InputError(
                f"shard {self.shard}/{self.shards} is out of range: "
                f"expected 0/{self.shards} .. {self.shards - 1}/{self.shards}"
            )

    @classmethod
    def of_options(cls, skip: int, limit: int, shard: str) -> "Selection":
        """From the command line's --skip, --max and --shard i/k."""
        text = shard if isinstance(shard, str) else ""
        match = re.fullmatch("([0-9]{1,20})/([0-9]{1,20})", text)
        if not match or int(match[2]) < 1:
            raise InputError(
                f"shard {shown(shard)} is not of the form i/k: expected 0/4, for instance"
            )
        return cls(skip, limit, int(match[1]), int(match[2]))

    @classmethod
    def of_description(cls, described: Mapping[str, Any]) -> "Selection":
        """The inverse of describe; raises InputError for a choice of images that is none."""
        chosen = described.get("chosen")
        if chosen is not None and not isinstance(chosen, str):
            raise InputError(f"chosen {shown(chosen)} is no text: expected runs such as 0-3,7,9")
        return cls(
            described["skip"],
            described["max"],
            described["shard"],
            described["shards"],
            None if chosen is None else Runs.parse(chosen),
            {name: described[name] for name in _OF_A_SUBSET if name in described},
        )

    @property
    def whole(self) -> "Selection":
        """Of all shards together."""
        return replace(self, shard=0, shards=1)

    def indices(self, num_images: int) -> Sequence[int]:
        """The selected indices of a source of `num_images`, ascending. Raises InputError where an
        image was chosen that it does not have."""
        if self.chosen is not None:
            if self.chosen and self.chosen[-1] >= num_images:
                raise InputError(
                    f"image {self.chosen[-1]} is chosen, of a source of {num_images} images: "
                    f"expected 0..{num_images - 1}"
                )
            return self.chosen[self.shard :: self.shards]
        found = range(0, num_images, self.skip)
        if self.limit >= 0:
            found = found[: self.limit]
        return found[self.shard :: self.shards]

    def describe(self) -> dict[str, Any]:
        """What the manifest records."""
        return {
            "skip": self.skip,
            "max": self.limit,
            "shard": self.shard,
            "shards": self.shards,
            **self.how,
            **({} if self.chosen is None else {"chosen": self.chosen.text()}),
        }
