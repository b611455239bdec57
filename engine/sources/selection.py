"""Which images of a source a run certifies: --skip, --max and --shard."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoothcert.engine.base.errors import InputError


@dataclass(frozen=True)
class Selection:
    """Every `skip`-th image, the first `limit` of those (-1: all), and of these every `shards`-th
    beginning with number `shard` (from 0)."""

    skip: int = 1
    limit: int = -1
    shard: int = 0
    shards: int = 1

    def __post_init__(self) -> None:
        """Refuse what selects nothing by construction."""
        if self.skip < 1:
            raise InputError(f"skip {self.skip} is too small: expected at least 1 (every image)")
        if self.limit < -1 or self.limit == 0:
            raise InputError(f"max {self.limit} is out of range: expected -1 (all) or at least 1")
        if not 0 <= self.shard < self.shards:
            raise InputError(
                f"shard {self.shard}/{self.shards} is out of range: "
                f"expected 0/{self.shards} .. {self.shards - 1}/{self.shards}"
            )

    @classmethod
    def of_options(cls, skip: int, limit: int, shard: str) -> "Selection":
        """From the command line's --skip, --max and --shard i/k."""
        match = re.fullmatch(r"(\d+)/(\d+)", shard)
        if not match or int(match[2]) < 1:
            raise InputError(f"shard {shard!r} is not of the form i/k: expected 0/4, for instance")
        return cls(skip, limit, int(match[1]), int(match[2]))

    @classmethod
    def of_description(cls, described: Mapping[str, Any]) -> "Selection":
        """The inverse of describe."""
        return cls(described["skip"], described["max"], described["shard"], described["shards"])

    def indices(self, num_images: int) -> range:
        """The selected indices of a source of `num_images`, ascending."""
        chosen = range(0, num_images, self.skip)
        if self.limit >= 0:
            chosen = chosen[: self.limit]
        return chosen[self.shard :: self.shards]

    def describe(self) -> dict[str, Any]:
        """What the manifest records."""
        return {
            "skip": self.skip,
            "max": self.limit,
            "shard": self.shard,
            "shards": self.shards,
        }
