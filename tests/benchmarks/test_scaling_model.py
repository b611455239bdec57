"""The discrete-event model agrees with what queueing says where that is known."""

import pytest
from scaling_model import Workload, duration_text, simulate


@pytest.mark.parametrize("fixed", [True, False])
def test_without_costs_gpus_are_always_at_work(fixed: bool) -> None:
    workload = Workload("free", 1000, fixed, 1000.0, 0.0, 0.0)
    assert simulate(20, workload, 0.0, 1e9, 50, 2) > 0.999


@pytest.mark.parametrize("gpus", [400, 2000])
def test_a_saturated_driver_bounds_the_throughput(gpus: int) -> None:
    workload = Workload("short", 1000, True, 1000.0, 0.0, 0.0)
    share = simulate(gpus, workload, 0.01, 1e9, 60, 8)  # the driver serves 100 GPUs
    assert share == pytest.approx(100 / gpus, rel=0.05)


def test_saturated_storage_bounds_the_throughput() -> None:
    workload = Workload("large", 1000, False, 1000.0, 1e6, 0.0)
    share = simulate(200, workload, 0.0, 1e7, 60, 8)  # ten images per second
    assert share == pytest.approx(10 / 200, rel=0.05)


def test_a_slow_decoder_bounds_its_own_gpu() -> None:
    workload = Workload("slow", 1000, True, 1000.0, 0.0, 2.0)
    assert simulate(5, workload, 0.0, 1e9, 60, 4) == pytest.approx(0.5, rel=0.05)


def test_waiting_images_hide_a_slow_driver() -> None:
    workload = Workload("uneven", 1000, False, 1000.0, 0.0, 0.0)
    shares = [simulate(80, workload, 0.01, 1e9, 100, ahead) for ahead in (1, 8)]
    assert shares[0] < shares[1]
    assert shares[1] > 0.98


def test_durations_are_read_easily() -> None:
    assert [duration_text(s) for s in (50, 600, 86_400, 3e6, 1e8)] == [
        "50 s", "10.0 min", "24.0 hours", "34.7 days", "3.2 years",
    ]  # fmt: skip
