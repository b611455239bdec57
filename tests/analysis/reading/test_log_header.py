"""Columns by name: whatever their order and their names, where one reading fits."""

from pathlib import Path

import pytest

from smoothcert.analysis.reading.header import mapping_of
from smoothcert.analysis.reading.names import (
    _SYNONYMS,
    OURS,
    check_columns,
    is_header,
    of_another_norm,
    places,
    squashed,
)
from smoothcert.engine.base.errors import InputError
from smoothcert.engine.log.rows import COLUMNS, TRANSFER_COLUMNS

LOG = Path("some.tsv")


def read(header: str) -> dict[str, str]:
    """The columns that a header of names with blanks between means, by our names."""
    names = header.split()
    return {column: names[place] for column, place in mapping_of(LOG, names).at.items()}


def test_the_columns_of_our_own_logs_are_the_engines() -> None:
    assert (*OURS, "pixels") == COLUMNS
    for names in (COLUMNS, OURS, COLUMNS + TRANSFER_COLUMNS):
        mapping = mapping_of(LOG, names)
        assert mapping.ours
        assert mapping.said is None
        assert list(mapping.at) == list(names)


@pytest.mark.parametrize(
    "header", ["idx label predict radius correct time", "idx label predict correct time"]
)
def test_nothing_is_said_of_the_originals_headers(header: str) -> None:
    mapping = mapping_of(LOG, header.split())
    assert (mapping.ours, mapping.said) == (False, None)
    assert read(header) == {name: name for name in header.split()}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("idx label predict radius correct pABar At Ad time", "ignored: pABar, At, Ad"),
        ("idx label predict basePredict correct time", "ignored: basePredict; no radius"),
        ("idx label predict radius time", "no correct: it is predict = label"),
        ("idx label predict radius correct", "(no time)"),
        ("label predict radius correct time", "no idx: the rows are numbered"),
        ("label idx predict radius correct time", "the order is label, idx, predict"),
        ("idx label predict radius correct time count n", "ignored: count, n"),
        ("idx label predict radius correct sigma best_sigma a b c d e f g", "f and 1 more"),
        ("idx label pred radius correct time", "pred is read as predict"),
    ],
)
def test_a_mapping_that_is_more_than_the_names_is_said(header: str, said: str) -> None:
    mapping = mapping_of(LOG, header.split())
    assert said in str(mapping.said)
    assert "\n" not in str(mapping.said)


@pytest.mark.parametrize(
    ("header", "column", "name"),
    [
        ("Index True_Label Prediction Certified-Radius Correct Time", "idx", "Index"),
        ("Index True_Label Prediction Certified-Radius Correct Time", "label", "True_Label"),
        ("Index True_Label Prediction Certified-Radius Correct Time", "predict", "Prediction"),
        ("Index True_Label Prediction Certified-Radius Correct Time", "radius", "Certified-Radius"),
        ("original_idx label predict radius correct time", "idx", "original_idx"),
        ("index idx label predict radius", "idx", "idx"),  # our own name wins
        ("idx label base_prediction prediction l2_radius linf_radius", "radius", "l2_radius"),
        ("idx label base_prediction prediction l2_radius linf_radius", "predict", "prediction"),
        ("idx label predict radius radius_cohen linf_radius", "radius", "radius"),
        ("IDX LABEL PREDICT RADIUS", "radius", "RADIUS"),
        ("#idx label predict radius", "idx", "#idx"),
        ("idx label predict radius(L2) time(s)", "radius", "radius(L2)"),
        ("idx label predict radius(L2) time(s)", "time", "time(s)"),
    ],
)
def test_other_names(header: str, column: str, name: str) -> None:
    assert read(header)[column] == name


def test_two_clocks_are_no_reason_to_refuse() -> None:
    assert "time" not in read("idx label predict radius elapsed runtime")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("idx predict radius correct time", "has no column label among idx, predict, radius"),
        ("idx label predict linf_radius", "--columns idx,label,predict,radius reads it"),
        ("idx label predict linf_radius prob_lb correct time",
         "linf_radius', which is of another norm than L2: expected radius; "
         "--columns idx,label,predict,radius,-,correct,time reads it as one"),
        ("idx label predict L1_radius", "another norm"),
        ("idx label predict radius_l0", "another norm"),
        ("idx label predict radius_L2 radius_cohen", "radius_L2, radius_cohen may be"),
        ("idx label predict count iid_bound exact_radius correct time",
         "iid_bound, exact_radius may be: expected --columns idx,label,predict,-,-,-,correct,time"),
        ("idx label predict epsilon", "epsilon may be"),
        ("idx label predict certified_distance", "certified_distance may be"),
        ("idx label predict radius radius time", "two columns 'radius'"),
        ("idx label predict R correct", "R may be: expected --columns idx,label,predict,-,correct"),
        ("idx label predict radius l2_radius time",
         "radius, l2_radius, each of which may be the radius: expected "
         "--columns idx,label,predict,-,-,time with radius in its place"),
        ("idx label predict radius(linf)", "another norm"),
        ("idx label prediction pred radius", "columns 'prediction' and 'pred', and predict could"),
        ("\t".join([*OURS, "n"]).replace("\t", " "), "two columns 'n'"),
    ],
)  # fmt: skip
def test_where_two_readings_fit_or_none_columns_are_asked_for(header: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        mapping_of(LOG, header.split())
    assert words in str(caught.value)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bound_beside_a_radius_is_no_rival() -> None:
    assert read("idx label predict radius cert_bound_exp")["radius"] == "radius"


@pytest.mark.parametrize("name", ["linf_radius", "Linf radius", "radius_l1", "L_inf_radius", "l∞"])
def test_other_norms(name: str) -> None:
    assert of_another_norm(name)


@pytest.mark.parametrize("name", ["l2_radius", "radius", "label", "radius_L2", "all", "predict"])
def test_no_other_norms(name: str) -> None:
    assert not of_another_norm(name)


def test_names_are_compared_without_case_and_joints() -> None:
    assert squashed(" Certified-L2_Radius ") == "certifiedl2radius"
    assert places(["a", "Pred", "pred."], "predict") == [1, 2]


def test_every_header_tells_itself_by_the_letters_of_a_prediction() -> None:
    """By which the table passes over rows quickly."""
    assert all("pred" in name for name in _SYNONYMS["predict"])


@pytest.mark.parametrize(
    ("header", "is_one"),
    [
        ("idx label predict", True),
        ("label pred", True),
        ("predict", False),
        ("idx label radius", False),
        ("=> loading checkpoint", False),
        ("0 3 3 0.5 1 0:00:01", False),
    ],
)
def test_what_is_a_header(header: str, is_one: bool) -> None:
    assert is_header(header.split()) == is_one


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("idx,label,predict,foo", "names 'foo': expected, from left to right, some of idx, label"),
        ("idx,label,predict,", "names ''"),
        ("label,label,predict", "names label twice"),
        ("idx,predict", "names no label"),
        ("idx,label", "names no predict"),
    ],
)
def test_columns_that_cannot_be(columns: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_columns(columns.split(","))
    assert check_columns([" idx ", "-", "label", "predict", "-"])[:2] == ("idx", "-")
