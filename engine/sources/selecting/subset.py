"""What a user asks of a subset beyond --skip and --max, and the images that are left by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.ranges import SAMPLE, SEED
from smoothcert.engine.sources.base import ImageSource
from smoothcert.engine.sources.options import READ_AS
from smoothcert.engine.sources.selecting.index_file import IndexFile
from smoothcert.engine.sources.selecting.sampling import drawn, drawn_by_class


@dataclass(frozen=True)
class Subset:
    """The options --indices, --sample, --stratified, --sample-seed and --only-correct.

    indices       the images that a file lists (None: all)
    sample        of these, so many drawn at random (None: all)
    stratified    from each class its share, in proportion to the class's size
    sample_seed   of the drawing: never that of the noise, so that the choice of images does not
                  depend on it
    only_correct  of what is left after --skip, the images that the base classifier classifies
                  correctly without noise: see engine/run/selecting.py

    Raises InputError for options that do not go together.
    """

    indices: IndexFile | None = None
    sample: int | None = None
    stratified: bool = False
    sample_seed: int = 0
    only_correct: bool = False

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        SEED.check(self.sample_seed, "sample-seed")
        if self.sample is not None:
            SAMPLE.check(self.sample)
        if self.sample is None and (self.stratified or self.sample_seed):
            name = "stratified" if self.stratified else f"sample-seed {self.sample_seed}"
            raise InputError(f"{name} is of a sample only: give --sample, such as --sample 500")

    @classmethod
    def of_options(cls, indices: str | Path | None, **others: Any) -> "Subset":
        """From the options, of which --indices is a path."""
        return cls(None if indices is None else IndexFile.read(Path(indices)), **others)

    @classmethod
    def of_description(
        cls, described: Mapping[str, Any], indices: IndexFile | None = None
    ) -> "Subset":
        """The inverse of describe, of a whole selection's description; the file of its indices is
        given."""
        return cls(
            indices,
            described.get("sample"),
            described.get("stratified", False),
            described.get("sample_seed", 0),
            "only_correct" in described,
        )

    @property
    def is_all(self) -> bool:
        """Whether it leaves every image."""
        return self == Subset()

    def eligible(self, source: ImageSource) -> Sequence[int]:
        """The images of a source that --indices and --sample leave, in the order that --skip and
        --max count them in: ascending, those of a sample as they were drawn (the first of a source
        that is sorted by class would be of few classes). Raises InputError where it does not have
        them."""
        found: Sequence[int] = range(len(source))
        if self.indices is not None:
            found = self.indices.runs(len(source))
        if self.sample is None:
            return found
        if self.sample > len(found):
            raise InputError(
                f"sample {self.sample} is more than the {len(found)} images that it is drawn "
                f"from: expected at most {len(found)}"
            )
        if not self.stratified:
            return drawn(found, self.sample, self.sample_seed)
        if is_unlabelled(source.describe()):
            raise InputError(
                "stratified needs labels, and the source is unlabelled: leave --stratified out"
            )
        labels = {index: source.label(index) for index in found}
        return drawn_by_class(labels, self.sample, self.sample_seed)

    def describe(self) -> dict[str, Any]:
        """What the manifest records, but for --only-correct, of which it records the outcome."""
        described: dict[str, Any] = {}
        if self.indices is not None:
            described["indices"] = self.indices.describe()
        if self.sample is not None:
            described |= {
                "sample": self.sample,
                "stratified": self.stratified,
                "sample_seed": self.sample_seed,
            }
        return described


def is_unlabelled(source: Mapping[str, Any]) -> bool:
    """Whether a source that describes itself so has no labels: they are all -1."""
    read_as = source.get(READ_AS)
    return isinstance(read_as, dict) and read_as.get("unlabelled") is True
