"""The figures behind the charts."""

from pathlib import Path

import numpy as np
import pytest
from report_logs import write_log

from smoothcert.analysis.log import read_log
from smoothcert.analysis.report.charts import (
    bin_width,
    radius_histogram,
    samples_histogram,
    throughput,
)


@pytest.mark.parametrize("largest", [1e-6, 0.3, 0.615815, 1.0, 3.9, 40.0, 1e9, 1e300])
def test_bins_are_round_and_few(largest: float) -> None:
    width = bin_width(largest)
    assert 8 <= largest / width <= 40
    digits = f"{width:.3e}".split("e")[0]
    assert digits in {"1.000", "2.000", "2.500", "5.000"}
    assert bin_width(0.0) == 1.0


def test_every_certificate_is_in_the_bin_of_its_decimal(tmp_path: Path) -> None:
    rows = [(1, 1, 0.3), (1, 1, 0.299999), (1, 2, 0.3), (1, -1, 0.0), (1, 1, 0.0)]
    log = write_log(tmp_path / "a.tsv", rows)
    histogram = radius_histogram(log, 0.1)
    assert histogram["correct"] == [1, 0, 1, 1]
    assert histogram["wrong"] == [0, 0, 0, 1]


def test_histograms_count_every_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(1, int(rng.integers(-1, 3)), round(float(rng.random()), 6)) for _ in range(300)]
    rows = [(label, c, 0.0 if c < 0 else radius) for label, c, radius in rows]
    log = write_log(tmp_path / "a.tsv", rows)
    histogram = radius_histogram(log, bin_width(float(log.radius.max())))
    assert sum(histogram["correct"]) == log.correct.sum()
    assert sum(histogram["wrong"]) == (~log.correct & ~log.abstained).sum()
    (samples,) = samples_histogram([log])
    assert samples is not None
    assert sum(samples["rows"]) == 300
    assert log.drawn is not None
    assert (samples["least"], samples["most"]) == (log.drawn.min(), log.drawn.max())
    assert samples["mean"] == pytest.approx(log.drawn.mean())


def test_throughput_is_samples_over_time(tmp_path: Path) -> None:
    rows = [(1, 1, 0.1)] * 200
    log = write_log(tmp_path / "a.tsv", rows, drawn=[1100] * 200)
    found = throughput(log)
    assert found is not None
    assert found["unit"] == "samples"
    assert len(found["ends"]) == 60
    assert found["ends"][-1] == pytest.approx(200 * 0.5)
    assert found["rate"] == pytest.approx([2200.0] * 60)
    assert found["mean"] == pytest.approx(2200.0)


def test_the_originals_logs_have_images_per_second(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    log = write_log(path, [(1, 1, 0.1)] * 3, original=True)
    found = throughput(log)
    assert found is not None
    assert (found["unit"], found["rate"]) == ("images", [2.0] * 3)
    assert samples_histogram([log]) == [None]
    text = path.read_text().replace("0:00:00.500000", "0")
    path.write_text(text)
    assert throughput(read_log(path)) is None
