from dataclasses import replace

import pytest
import torch

from rivals.judging.compare import frechet
from rivals.judging.verdict import Evidence, Features, verdict_of
from rivals.judging.verdict_words import called, verdict_sentences


def sets(count=300, classes=3, dimensions=6, seed=0):
    """Rows around a point for each class, with their labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centres = 8 * torch.eye(dimensions)[:classes]
    return Features(centres[labels] + torch.randn(count, dimensions, generator=generator), labels, labels)


def evidence(fake, **more):
    return Evidence(fake, sets(seed=1), sets(seed=2), sets(seed=3), ("a", "b", "c"), **more)


def test_fakes_like_the_real_set_are_about_at_the_floor():
    found = verdict_of(evidence(sets(seed=4)))
    scores, floor = found["scores"], found["floor"]
    assert scores["fd"] == pytest.approx(frechet(sets(seed=4).rows, sets(seed=1).rows), rel=1e-4)
    assert scores["fd_share"] < 2 * floor["fd_share"] + 0.5
    assert scores["precision"] > 0.8
    assert scores["recall"] > 0.8
    assert scores["agreement"] == 100
    assert scores["accuracy"] > 99
    assert set(found["classes"]) == {"a", "b", "c"}
    assert all(0.7 < row["diversity"] < 1.3 for row in found["classes"].values())
    assert found["notes"] == []
    assert set(found["intervals"]) == set(scores), "none without an interval"
    for name, (low, high) in found["intervals"].items():
        assert low <= scores[name] <= high, name


def test_a_collapsed_generator_has_precision_but_no_recall_and_the_words_say_so():
    fake = sets(seed=4)
    one = replace(
        fake, rows=sets(seed=4).rows[:1] + 0.3 * torch.randn(300, 6), told=torch.zeros(300, dtype=torch.int64)
    )
    found = verdict_of(evidence(one))
    assert found["scores"]["precision"] > 0.9
    assert found["scores"]["recall"] < 0.2
    assert found["classes"]["b"]["fakes"] == 0
    assert found["scores"]["agreement"] == pytest.approx(100 / 3)
    assert "a lack of variety" in " ".join(verdict_sentences({**found, "card": {"extractor": "x"}}))


def test_noise_is_told_from_collapse():
    found = verdict_of(evidence(Features(8 * torch.randn(300, 6) + 2)))
    assert found["scores"]["precision"] < 0.3
    assert "agreement" not in found["scores"]
    assert "many fakes do not look real" in " ".join(verdict_sentences({**found, "card": {}}))


def test_a_class_that_is_never_made_leaves_no_mean_over_classes():
    fake = sets(seed=4)
    two = fake.labels < 2
    found = verdict_of(evidence(Features(fake.rows[two], fake.labels[two], fake.told[two])))
    assert "class_fd" not in found["scores"]
    assert "fd" not in found["classes"]["c"]


def test_fewer_samples_than_features_are_said_to_be_biased():
    found = verdict_of(Evidence(Features(torch.randn(12, 40)), Features(torch.randn(30, 40))))
    assert any("biased upwards" in note for note in found["notes"])
    assert "fd_infinity" in found["scores"]
    assert found["floor"] == {}
    assert found["neighbours"] == {}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_very_few_rows_give_what_can_be_given(count):
    found = verdict_of(Evidence(Features(torch.randn(count, 3)), Features(torch.randn(count, 3))))
    assert found["scores"]["fd"] >= 0


def test_a_verdict_depends_on_its_seed_only_and_not_on_the_global_one():
    first = verdict_of(evidence(sets(seed=4), seed=5))
    torch.manual_seed(77)
    assert verdict_of(evidence(sets(seed=4), seed=5)) == first


def test_only_the_standard_network_measures_fid():
    assert called("fd", "inception-2015-12-05") == "FID"
    assert called("fd_infinity", "inception-2015-12-05") == "FID∞"
    assert called("kid", "digits-cnn64") == "KD[digits-cnn64]"
    assert called("class_fd", "x") == "FD[x] class by class, mean"
    assert called("unheard of", "x") == "unheard of"
