"""The options of `certify` and `predict` that say who does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Labour:
    """Who does the work: this process, or (`ray`) workers on a cluster; see `cluster_options`."""

    ray: str | None = None
    workers: int | None = None
    threads: int | None = None
    decode: str = "auto"

    def executor(self, on_event: Callable[[str, dict[str, Any]], None]) -> Any:
        """The engine's Executor, or None for what suits the device; raises InputError where options
        do not fit together."""
        from smoothcert.engine.base.errors import InputError

        if self.ray is None:
            if self.workers is not None or self.decode != "auto":
                raise InputError(
                    "--workers and --decode are of runs on a cluster: expected --ray with them; "
                    "add --ray local"
                )
            return None
        from smoothcert.engine.run.cluster.executor import ClusterOptions, RayExecutor

        options = ClusterOptions(self.ray, self.workers, self.threads or 1, self.decode)
        return RayExecutor(options, on_event)


def cluster_options(function: _Command) -> _Command:
    """--ray and what belongs to it, gathered into one argument `labour`."""
    for decorate in reversed(
        (
            click.option("--ray", metavar="local|auto|ADDRESS", help="Run on a Ray cluster."),
            click.option("--workers", type=int, help="With --ray [default: one per GPU or core]."),
            click.option("--threads", type=int, help="Cores to use [default: all; --ray: 1 each]."),
            click.option(
                "--decode",
                type=click.Choice(["auto", "workers", "driver"]),
                default="auto",
                show_default=True,
                help="With --ray: who reads the images.",
            ),
        )
    ):
        function = decorate(function)
    return function
