"""Every image is done once, whatever joins, leaves, returns and repeats itself."""

import random

from smoothcert.engine.run.cluster.dispatch import Dispatch


def test_images_are_handed_out_in_order_and_done_once() -> None:
    dispatch = Dispatch(range(10))
    dispatch.join("a")
    given = dispatch.next_for("a", 0)
    assert given == list(range(len(given)))
    assert dispatch.done("a", 0)
    assert not dispatch.done("a", 0)
    assert not dispatch.done("b", 1)
    assert not dispatch.finished


def test_a_worker_that_runs_dry_is_given_more_ahead() -> None:
    dispatch = Dispatch(range(10_000))
    dispatch.join("a")
    lengths = [len(dispatch.next_for("a", 0, starved=True)) for _ in range(12)]
    assert lengths[0] == 4
    assert max(lengths) == 512
    assert dispatch.next_for("a", 512) == []


def test_the_end_is_shared_out() -> None:
    dispatch = Dispatch(range(8))
    for name in "ab":
        dispatch.join(name)
    for _ in range(10):
        dispatch.next_for("a", 0, starved=True)  # grows greedy, as long as there is something
        break
    assert len(dispatch.next_for("b", 0)) == 1


def test_what_waits_is_taken_back_for_an_idle_worker() -> None:
    dispatch = Dispatch(range(3))
    dispatch.join("a")
    dispatch.join("b")
    first = dispatch.next_for("a", 0) + dispatch.next_for("a", 0) + dispatch.next_for("a", 0)
    assert first == [0, 1, 2]
    assert dispatch.next_for("a", 2) == []
    assert dispatch.to_relieve() == ("a", 1)
    assert dispatch.to_relieve() is None  # already asked
    dispatch.returned("a", [2])
    assert dispatch.next_for("b", 0) == [2]
    assert not dispatch.done("a", 2)
    assert dispatch.done("b", 2)


def test_a_lost_worker_costs_what_it_held() -> None:
    dispatch = Dispatch(range(6))
    dispatch.join("a")
    held = dispatch.next_for("a", 0)
    dispatch.done("a", held[0])
    assert dispatch.leave("a") == (len(held) - 1, [])
    dispatch.join("b")
    again = [index for _ in range(6) for index in dispatch.next_for("b", 0)]
    assert sorted(again) == list(range(1, 6))
    dispatch.returned("a", [1])  # a late word: nothing comes twice
    assert dispatch.unassigned == 0


def test_an_image_that_kills_workers_is_given_up_and_costs_only_itself() -> None:
    poison = 7
    dispatch = Dispatch(range(20))
    done: list[int] = []
    given_up: list[int] = []
    deaths = worker = 0
    dispatch.join(worker)
    while not dispatch.finished:
        given = dispatch.next_for(worker, 0)
        for index in given:
            if index == poison:
                deaths += 1
                given_up += dispatch.leave(worker)[1]
                worker += 1
                dispatch.join(worker)
                break
            assert dispatch.done(worker, index)
            done.append(index)
    assert given_up == [poison]
    assert deaths == 4
    assert sorted(done) == [index for index in range(20) if index != poison]


def test_any_history_does_every_image_once() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        dispatch = Dispatch(range(60))
        held: dict[int, list[int]] = {}
        done: list[int] = []
        next_worker = 0
        while not dispatch.finished:
            action = rng.random()
            if not held or action < 0.05:
                dispatch.join(next_worker)
                held[next_worker] = []
                next_worker += 1
                continue
            worker = rng.choice(list(held))
            if action < 0.08:
                done += dispatch.leave(worker)[1]  # given up is done, too
                del held[worker]
            elif action < 0.2 and held[worker]:
                dispatch.returned(worker, [held[worker].pop()])
            elif action < 0.6 and held[worker]:
                index = held[worker].pop(0)
                assert dispatch.done(worker, index)
                done.append(index)
            else:
                held[worker] += dispatch.next_for(worker, len(held[worker]), rng.random() < 0.5)
        assert sorted(done) == list(range(60))
