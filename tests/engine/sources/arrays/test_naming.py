import pytest

from smoothcert.engine.base.errors import InputError
from smoothcert.engine.sources.arrays.naming import choose
from smoothcert.engine.sources.options import SourceOptions

IMAGES, LABELS = (6, 8, 8, 3), (6,)


def chosen(names: str, **options: object) -> tuple[str, ...]:
    """The arrays that are taken of those with these names: labels are in small brackets."""
    shapes = {
        name.strip("()"): LABELS if name.startswith("(") else IMAGES for name in names.split()
    }
    return choose(shapes, SourceOptions(**options), "x.npz", "expected so").names  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("images (labels)", "images labels"),
        ("images (labels) x_test (y_test) (ids)", "images labels"),
        ("x_train (y_train) x_test (y_test)", "x_test y_test"),
        ("X_train (Y_train) X_test (Y_test)", "X_test Y_test"),
        ("xtrain (ytrain) xtest (ytest)", "xtest ytest"),
        ("train_images (train_labels) val_images (val_labels) test_images (test_labels)",
         "test_images test_labels"),
        ("x (y)", "x y"),
        ("X (Y) x_test (y_test)", "x_test y_test"),
        ("data (targets)", "data targets"),
        ("images (y)", "images y"),
        ("arr_0 (arr_1)", "arr_0 arr_1"),
        ("(arr_0) arr_1", "arr_1 arr_0"),
        ("cifar10.1_v6_data (cifar10.1_v6_labels)", "cifar10.1_v6_data cifar10.1_v6_labels"),
        ("gaussian_noise (labels)", "gaussian_noise labels"),
        ("inputs (labels) (ids)", "inputs labels"),
        ("t10k_images (t10k_labels) train_images (train_labels)", "t10k_images t10k_labels"),
    ],
)  # fmt: skip
def test_arrays_are_known_by_name(names: str, expected: str) -> None:
    assert chosen(names) == tuple(expected.split())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("x_train (y_train)", "has no test split .*--arrays x_train,y_train"),
        ("x_test (y_train)", "has no array images"),
        ("x_train (labels)", "has no array images"),
        ("fog (train_labels)", "has no array images"),
        ("x_train (y_train) x_val (y_val)", "has no test split .*training images are not taken"),
        ("cifar10.1_v4_data (cifar10.1_v4_labels) cifar10.1_v6_data (cifar10.1_v6_labels)",
         "expected one pair .*--arrays cifar10.1_v4_data,cifar10.1_v4_labels"),
        ("fog frost (labels)", r"holds 2 arrays of images \(fog, frost\).*--arrays fog,labels"),
        ("images", r"has no array labels \(it has images\).*give --unlabelled"),
        ("images (ids)", "has no array labels"),
        ("x_test", "has no array labels"),
        ("(labels)", "has no array images"),
        ("", r"has no array images \(it has none\)"),
        ("images (fine_labels) (coarse_labels)", "has no array labels"),
        ("foo (bar)", "has no array images"),
    ],
)  # fmt: skip
def test_what_no_name_tells_is_refused(names: str, message: str) -> None:
    with pytest.raises(InputError, match=f"x.npz: .*{message}"):
        chosen(names)


def test_the_user_decides() -> None:
    names = "images (labels) x_train (y_train) fog"
    assert chosen(names, arrays=("x_train", "y_train")) == ("x_train", "y_train")
    assert chosen(names, arrays=("fog.npy", "labels.npy")) == ("fog", "labels")
    with pytest.raises(InputError, match="has no array snow"):
        chosen(names, arrays=("snow", "labels"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("images", "images"),
        ("images (labels) x_test", "images"),
        ("x_train (y_train) x_test (y_test)", "x_test"),
        ("x", "x"),
        ("arr_0", "arr_0"),
        ("photos (ids)", "photos"),
    ],
)
def test_images_without_labels(names: str, expected: str) -> None:
    assert chosen(names, unlabelled=True) == (expected,)


@pytest.mark.parametrize("names", ["fog frost", "", "(ids)", "x_train (y_train)", "x data"])
def test_images_that_are_not_the_only_ones(names: str) -> None:
    with pytest.raises(InputError, match="expected one array of images; name it by --arrays"):
        chosen(names, unlabelled=True)
    assert chosen("fog frost", unlabelled=True, arrays=("frost",)) == ("frost",)


def test_what_is_said_and_what_is_left_aside() -> None:
    shapes = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    found = choose(shapes, SourceOptions(), "x", "")
    assert found.said() == ("images from x_test, labels from y_test, not its training images",)
    assert (found.split, found.is_default) == ("test", False)
    asked = choose(shapes, SourceOptions(arrays=("x_test", "y_test")), "x", "")
    assert asked.said() == ()
    assert asked.names == found.names
    plain = choose({"images": IMAGES, "labels": LABELS}, SourceOptions(), "x", "")
    assert (plain.said(), plain.is_default, plain.split) == ((), True, "")
    alone = choose({"x_test": IMAGES, "y_test": LABELS}, SourceOptions(), "x", "")
    assert alone.split == ""
