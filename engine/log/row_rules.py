"""What a row of a run must be: of a selected image, and the end of a trial of its procedure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.arithmetic import check_arithmetic
from smoothcert.engine.log.rows import Certificate
from smoothcert.engine.sources.selecting.subset import is_unlabelled
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Procedure
from smoothcert.engine.statistics.recorded import recorded_procedure

_FEW = 3
"""Classes that stand for all where no votes are known: the row's own, its label's, another."""


@dataclass(frozen=True)
class RowRules:
    """The rules of one run.

    classes   K, of its model
    images    of its source
    selected  those that it certifies, ascending: membership must be cheap
    """

    procedure: Procedure
    classes: int
    images: int
    selected: Sequence[int]
    _passed: set[tuple[str, ...]] = field(default_factory=set, repr=False, compare=False)

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> "RowRules":
        """Of a manifest's `run`; raises InputError where it describes no procedure of this
        version, selects images that its source does not have, or more than share its alpha."""
        procedure, classes = recorded_procedure(run), run["model"]["classes"]
        images, family = run["source"]["images"], run.get("family_wise")
        together = len(Selection.of_description(run["selection"]).whole.indices(images))
        if family is not None and together > family:
            raise InputError(f"family_wise {family} where {together} images share alpha")
        return cls(procedure, classes, images, _selected(run))

    def of_another_shard(self, run: Mapping[str, Any]) -> "RowRules":
        """Of a run that differs from this one in what it selects alone."""
        return replace(self, selected=_selected(run))

    def objection(self, row: Certificate, fields: Mapping[str, str]) -> str | None:
        """Why a row, whose text its fields are, is none of this run; None where it may be one.

        Its pixels and the votes themselves are not looked at: that is an audit's.
        """
        if row.index >= self.images:
            return f"is of image {row.index}, which is not in the source of {self.images} images"
        if row.index not in self.selected:
            return f"is of image {row.index}, which is not one of those selected"
        short, texts = self._short(row, fields)
        key = tuple(text for name, text in texts.items() if name not in ("time", "pixels"))
        if key in self._passed:
            return None
        classes = min(self.classes, _FEW)
        if check_arithmetic(short, texts, self.procedure, classes):
            # In the row's own words; and their verdict is the one that counts.
            problems = check_arithmetic(row, fields, self.procedure, self.classes)
            if problems:
                return "contradicts itself: " + problems[0].partition(": ")[2]
        self._passed.add(key)
        return None

    def _short(
        self, row: Certificate, fields: Mapping[str, str]
    ) -> tuple[Certificate, dict[str, str]]:
        """The row as of image 0, and, of many classes, as of few: nothing is known of their votes,
        so all but the row's own and the label's are alike."""
        index, label, decision = 0, row.label, row.decision
        if self.classes > _FEW and decision.predict < self.classes:
            own = decision.predict

            def among_few(name: int, outside: int) -> int:
                if name < 0:
                    return name
                if name == own:
                    return 0
                return 1 if name < self.classes else outside

            label, transfer = among_few(label, _FEW), decision.transfer
            if transfer is not None:
                transfer = replace(transfer, predict=among_few(transfer.predict, _FEW))
            decision = replace(decision, predict=among_few(own, _FEW), transfer=transfer)
        texts = {**fields, "idx": str(index), "label": str(label)}
        texts["predict"] = str(decision.predict)
        if decision.transfer is not None:
            texts["predict_transfer"] = str(decision.transfer.predict)
        return replace(row, index=index, label=label, decision=decision), texts


def _selected(run: Mapping[str, Any]) -> Sequence[int]:
    return Selection.of_description(run["selection"]).indices(run["source"]["images"])


def label_objection(label: int, run: Mapping[str, Any]) -> str | None:
    """Why a row of a run cannot have this label: it is -1 exactly where the source is unlabelled;
    None where it can."""
    source = run.get("source")
    unlabelled = isinstance(source, dict) and is_unlabelled(source)
    if (label == -1) == unlabelled:
        return None
    return f"has label {label}, of {'an unlabelled' if unlabelled else 'a labelled'} source"
