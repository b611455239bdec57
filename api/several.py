"""Several noise levels in one call: a log each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.base.outputs import is_same_file
from smoothcert.engine.base.ranges import SIGMA, SIGMAS
from smoothcert.engine.log.manifest import manifest_path
from smoothcert.engine.run.execution import Job
from smoothcert.engine.sources.selection import Selection
from smoothcert.engine.statistics.procedures import Procedure

MakeProcedure = Callable[[float], Procedure]
"""A procedure, of the sampler's total variation."""


@dataclass(frozen=True)
class Level:
    """A noise level of a call, the log that it is certified into, and how.

    alone  whether the call was given this number, and no sequence of them
    """

    sigma: float
    log: Path
    make_procedure: MakeProcedure
    alone: bool

    @contextmanager
    def named(self) -> Iterator[None]:
        """Inside, a refusal says of which level it is, where there are several."""
        try:
            yield
        except InputError as error:
            if self.alone:
                raise
            raise InputError(f"at sigma {spelled(self.sigma)}: {error}") from None


def levels_of(
    sigma: object, log: str | Path, make: Callable[[float], MakeProcedure]
) -> list[Level]:
    """The levels of a call: a number's log is `log`, and those of a sequence have names of their
    own (log_at).

    make  what makes the procedure of a level
    Raises InputError for a number out of range, one that comes twice, a folder, and logs that are
    one file.
    """
    numbers = _numbers(sigma)
    if numbers is None:
        level = float(SIGMA.check(sigma))
        return [Level(level, Path(log), make(level), alone=True)]
    if Path(log).is_dir():
        raise InputError(
            f"log {log} is a folder: expected what the names of the logs begin with, such as "
            f"{Path(log) / 'out.tsv'}"
        )
    for one, other in combinations(numbers, 2):
        if one == other:
            raise InputError(
                f"sigma {spelled(one)} comes twice: expected each level once, for it has one log"
            )
    levels = [Level(each, log_at(log, each), make(each), alone=False) for each in numbers]
    for first, second in combinations([level.log for level in levels], 2):
        if is_same_file(first, second):
            raise InputError(
                f"{first} and {second} are one file: expected a log for each sigma; choose "
                "another output"
            )
    return levels


def log_at(log: str | Path, sigma: float) -> Path:
    """The log of one of several levels: OUT.tsv is OUT_0.25.tsv, OUT is OUT_0.25."""
    path = Path(log)
    stem = path.name.removesuffix(".tsv")
    return path.with_name(f"{stem}_{spelled(sigma)}{path.name[len(stem) :]}")


def spelled(sigma: float) -> str:
    """A level by the fewest digits that tell it from every other number: 0.25, 1."""
    return repr(sigma).removesuffix(".0")


def selected_for_each(
    levels: Sequence[Level],
    jobs: Sequence[Job],
    choose: Callable[[Job, Path], Selection],
    check: Callable[[Job, Selection, Path], None],
) -> dict[Path, Selection]:
    """The images of each log: `choose` is asked for each that is there already, which is held
    against `check`, and then once for all others, which certify the same images.
    """
    selections: dict[Path, Selection] = {}
    new: list[tuple[Job, Path]] = []
    for level, job in zip(levels, jobs, strict=True):
        log = level.log
        if level.alone or not (log.exists() or manifest_path(log).exists()):
            new.append((job, log))
        else:
            selections[log] = choose(job, log)
            check(job, selections[log], log)
    if new:
        selections |= dict.fromkeys([log for _, log in new], choose(*new[0]))
    return selections


def _numbers(sigma: object) -> list[float] | None:
    """The numbers of a sequence; None for what is one number, or none."""
    if isinstance(sigma, str | bytes | bytearray | Mapping) or not isinstance(sigma, Iterable):
        return None
    try:
        parts = list(islice(sigma, int(SIGMAS.high) + 1))
    except TypeError:  # an array of no dimension
        return None
    SIGMAS.check(len(parts), "number of sigmas")
    return [float(SIGMA.check(part)) for part in parts]
