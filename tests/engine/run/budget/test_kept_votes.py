"""The votes of undecided images: gone on with, lost, damaged and forged."""

import json
from pathlib import Path

import pytest
from linear_runs import certify_table, rows_of, without
from untimed_logs import untimed

import smoothcert
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.run.certification import Watchers

IMAGES = 14


def test_votes_that_are_lost_are_drawn_again(model: Path, source: Path, tmp_path: Path) -> None:
    kept, lost = tmp_path / "kept.tsv", tmp_path / "lost.tsv"
    for log in (kept, lost):
        certify_table(model, source, log, budget=20_000)
    assert untimed(kept) == untimed(lost)
    (tmp_path / "lost.tsv.votes").unlink()
    samples = [certify_table(model, source, log, budget=10**9).samples_now for log in (kept, lost)]
    assert samples[0] < samples[1]
    assert untimed(kept) == untimed(lost)


class Interrupting(Watchers):
    """Ctrl-C after so many batches."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def batch(self, samples: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_interrupted_run_keeps_its_votes(model: Path, source: Path, tmp_path: Path) -> None:
    log, whole = tmp_path / "log.tsv", tmp_path / "whole.tsv"
    everything = certify_table(model, source, whole).samples_now
    with pytest.raises(KeyboardInterrupt):
        certify_table(model, source, log, budget=10**9, watcher=Interrupting(60))
    assert (tmp_path / "log.tsv.votes").exists()
    rest = certify_table(model, source, log, budget=10**9)
    assert rest.undecided == 0
    assert 0 < everything - rest.samples_now <= 60 * 256
    assert [without(row, "undecided") for row in rows_of(log).values()] == [
        without(row) for row in rows_of(whole).values()
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"run": 1}', b"\xff", b"[" * 100_000, b'{"run":"", "images":{}}'],
)
def test_votes_that_are_damaged_are_refused(
    model: Path, source: Path, tmp_path: Path, content: bytes
) -> None:
    log = tmp_path / "log.tsv"
    certify_table(model, source, log, budget=512 * IMAGES)
    before = log.read_bytes()
    votes = tmp_path / "log.tsv.votes"
    votes.write_bytes(content)
    with pytest.raises(InputError, match="remove it, and they are drawn again") as refused:
        certify_table(model, source, log, budget=512)
    assert "\n" not in str(refused.value)
    assert votes.read_bytes() == content
    assert log.read_bytes() == before


def test_votes_that_were_never_drawn_are_found(model: Path, source: Path, tmp_path: Path) -> None:
    """A file that contradicts nothing but the noise: what is certified with it is no trial's."""
    log, votes = tmp_path / "log.tsv", tmp_path / "log.tsv.votes"
    certify_table(model, source, log, budget=12_000)
    kept = json.loads(votes.read_text())
    index, entry = next((i, each) for i, each in kept["images"].items() if each["holder"] == -1)
    leader = max(entry["votes"], key=lambda pair: pair[1])
    leader[1] += 20
    others = [pair for pair in entry["votes"] if pair is not leader]
    max(others, key=lambda pair: pair[1])[1] -= 20
    votes.write_text(json.dumps(kept))
    certify_table(model, source, log, budget=10**9)
    found = smoothcert.audit(log, source, rows=IMAGES).findings
    assert len(found) == 1
    assert found[0].startswith(f"image {index}:")
