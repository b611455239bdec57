"""What to type next, in one dim line below what a command said: for people at a terminal alone."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smoothcert.cli.shell.printing import echo_dim


def hint(command: str, options: Mapping[str, Any]) -> None:
    """Say it after a command that ended well, given its options by their Python names; nothing
    where stdout or stderr is no terminal."""
    if sys.stdout.isatty() and sys.stderr.isatty():
        words = next_of(command, options)
        if words is not None:
            echo_dim(f"next: {words}")


def next_of(command: str, options: Mapping[str, Any]) -> str | None:
    """What usually follows; None where nothing does."""
    from smoothcert.cli.diagnosis import commands

    if command in ("certify", "predict") and not options.get("estimate"):
        logs = _logs(options["out"], options["sigma"])
        if options["shard"] != "0/1":
            whole = f"smoothcert merge OUT.tsv {commands.word(logs[0])} ..."
            return f"{whole} (the logs of all shards)"
        lists = {name: options[name] for name in ("indices", "labels", "classes")}
        check = commands.audit(logs[0], options["data"], lists).note
        return f"{commands.analyze(*logs).note}; to check it: {check}"
    if command == "merge":
        log = str(options["out"])
        return f"{commands.analyze(log).note}; to check it: {commands.audit(log).note}"
    if command == "export":
        given = {"sigma": options["sigma"]} if options["sigma"] else {}
        return commands.certify(str(options["output"]), options=given).note
    if command == "build":
        device = {"device": f"cuda:{options['device']}"}
        return commands.certify(str(options["output"]), options=device).note
    if command == "train":
        checkpoint = str(options["outdir"] / "checkpoint.pth.tar")
        source = options["test"] or options["source"]
        return commands.certify(checkpoint, source, {"sigma": options["sigma"]}).note
    return None


def _logs(log: Path, sigma: float | tuple[float, ...]) -> list[str]:
    if not isinstance(sigma, tuple):
        return [str(log)]
    from smoothcert.several import log_at

    return [str(log_at(log, each)) for each in sigma]
