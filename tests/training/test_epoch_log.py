from smoothcert.training.epoch_log import Epoch, text


def test_the_columns_are_the_originals() -> None:
    epochs = [Epoch(0, 61.5, 0.1, 1.25, 55.0, 1.0, 60.123456), Epoch(1, 1.0, 0.01, 1.0, 56.0)]
    assert text(epochs) == (
        "epoch\ttime\tlr\ttrain loss\ttrain acc\ttestloss\ttest acc\n"
        "0\t0:01:01.500000\t0.1\t1.25\t55\t1\t60.1235\n"
        "1\t0:00:01.000000\t0.01\t1\t56\tnan\tnan\n"
    )
