import threading
import warnings

from smoothcert.engine.sources.quiet_pillow import quiet_pillow


def warn(module: str) -> None:
    """A warning, as of that module."""
    warnings.warn_explicit("large", UserWarning, "file", 1, module)


def test_pillow_alone_is_quiet_and_only_inside() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with quiet_pillow(), quiet_pillow():
            warn("PIL.Image")
            assert not warned
            warn("elsewhere")
            assert len(warned) == 1
        assert list(warnings.filters) == before
        warn("PIL.Image")
        assert len(warned) == 2


def test_threads_that_leave_in_any_order_leave_nothing_behind() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        first_in, second_in, first_out = (threading.Event() for _ in range(3))

        def first() -> None:
            with quiet_pillow():
                first_in.set()
                second_in.wait(60)
            first_out.set()

        def second() -> None:
            first_in.wait(60)
            with quiet_pillow():
                second_in.set()
                first_out.wait(60)
                warn("PIL.Image")

        threads = [threading.Thread(target=run) for run in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not warned
        assert list(warnings.filters) == before
