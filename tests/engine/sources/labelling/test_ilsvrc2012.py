import hashlib

from smoothcert.engine.sources.labelling.ilsvrc2012 import INDEX, NUM_CLASSES, WNIDS


def test_the_list_is_the_published_one() -> None:
    """By the SHA-256 of its lines, of the list that timm has and Kaggle's LOC_synset_mapping.txt
    begins its lines with; and by what is known of some classes."""
    assert len(WNIDS) == len(INDEX) == NUM_CLASSES == 1000
    assert list(WNIDS) == sorted(set(WNIDS))
    lines = "".join(f"{wnid}\n" for wnid in WNIDS)
    assert hashlib.sha256(lines.encode()).hexdigest() == (
        "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15"
    )
    for wnid, index in (("n01440764", 0), ("n02979186", 482), ("n15075141", 999)):
        assert INDEX[wnid] == index
        assert WNIDS[index] == wnid
