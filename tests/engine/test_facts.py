import pytest
import torch

from rivals.engine.data import Dataset
from rivals.engine.facts import MODES, averaged, clusters, data_facts, worries
from rivals.engine.types import Batch


def blobs(count=300, classes=3, shuffled=False, apart=6.0, repeat=1):
    """Pictures (n, 1, 8, 8) around as many bright corners as there are classes."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    pictures = 0.5 * torch.randn(count, 1, 8, 8, generator=rng)
    pictures.view(count, -1)[torch.arange(count), labels] += apart
    pictures, labels = pictures.repeat(repeat, 1, 1, 1), labels.repeat(repeat)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=rng)]
    return pictures, labels


def dataset(pictures, labels=None):
    rows = torch.arange(len(pictures))
    return Dataset(lambda which: Batch(pictures[which], None if labels is None else labels[which]), rows, rows[:10])


def test_samples_of_any_shape_become_rows_of_averages():
    assert averaged(torch.ones(3, 2, 64, 64)).shape == (3, 512)
    assert averaged(torch.ones(3, 1, 2048)).shape == (3, 512)
    assert averaged(torch.ones(3, 1, 16, 16, 16)).shape == (3, 512)
    assert averaged((torch.ones(3, 5), torch.zeros(3, 4, dtype=torch.long))).shape == (3, 9)
    picture = torch.arange(4096.0).view(1, 1, 64, 64)
    assert averaged(picture)[0, 0] == picture[0, 0, :4, :4].mean()


def test_facts_of_clean_data_worry_nobody():
    facts, lens = data_facts(dataset(*blobs()))
    assert facts["train"] == 300
    assert facts["repeated"] == facts["near"] == 0
    assert facts["agreement"] > 0.98
    assert facts["chance"] == pytest.approx(1 / 3, abs=1e-3)
    assert sum(mode["share"] for mode in facts["modes"]) == pytest.approx(1, abs=0.01)
    assert {mode["class"] for mode in facts["modes"]} == {0, 1, 2}
    assert [right >= 0.97 * many for right, many in facts["recognised"]] == [True] * 3
    assert not list(worries(facts))
    pictures, labels = blobs()
    places = lens(pictures)
    assert sum(lens.counts(places)) == len(pictures)
    assert places.std(0) == pytest.approx(lens.deviation, rel=1e-4)
    assert lens.within == pytest.approx(torch.stack([places[labels == n].var(0).sum() for n in range(3)]))


def test_shuffled_labels_are_seen():
    facts, _ = data_facts(dataset(*blobs(shuffled=True)))
    assert abs(facts["agreement"] - facts["chance"]) < 0.05
    (worry,) = worries(facts)
    assert worry.name == "labels"


@pytest.mark.parametrize("repeat", [2, 5])
def test_repeated_items_are_counted_exactly(repeat):
    pictures, labels = blobs(120, repeat=repeat)
    facts, _ = data_facts(dataset(pictures, labels))
    assert facts["repeated"] == pytest.approx(1 - 1 / repeat, abs=1e-4)
    assert [worry.name for worry in worries(facts)] == ["duplicates"]
    noisy, _ = data_facts(dataset(pictures + 1e-3 * torch.randn(pictures.shape), labels))
    assert noisy["near"] == facts["repeated"]
    assert noisy["repeated"] == 0


def test_nearly_repeated_items_are_found_however_far_apart():
    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(700, 3, 4, 4, generator=random)
    pictures[[260, 510, 699]] = pictures[[259, 3, 0]] + 1e-4
    assert data_facts(dataset(pictures, None))[0]["near"] == pytest.approx(3 / 700, abs=1e-5)


def test_classes_that_are_the_same_are_alike_and_others_are_not():
    pictures, labels = blobs(400, classes=2)
    labels = torch.where(labels == 0, torch.arange(400) // 2 % 2, 2)  # the first blob has two names
    facts, _ = data_facts(dataset(pictures, labels))
    (first, *others) = facts["alike"]
    assert first[:2] == [0, 1]
    assert first[2] == pytest.approx(1, abs=0.15)
    assert all(mixed < 0.1 for *_, mixed in others)


def test_facts_leave_the_random_state_alone_and_are_the_same_again():
    data = dataset(*blobs(60))
    before = torch.random.get_rng_state()
    first, _ = data_facts(data)
    again, _ = data_facts(data)
    assert first == again
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_is_given_is_not_made_where_only_the_samples_are_looked_at():
    pictures, _ = blobs(60)
    rows = torch.arange(60)
    whole = Dataset(lambda which: Batch(pictures[which], torch.ones(len(which), 3)), rows, rows[:10])
    alone = Dataset(lambda which: pytest.fail("made"), rows, rows[:10], lambda which: pictures[which])
    assert data_facts(alone)[0] == data_facts(whole)[0]


def test_data_without_labels_or_of_a_single_item_has_facts_too():
    facts, lens = data_facts(dataset(blobs()[0]))
    assert "agreement" not in facts
    assert not lens.labels
    assert lens.within.shape == (1,)
    facts, _ = data_facts(dataset(torch.zeros(2, 1, 8, 8)))
    assert facts["repeated"] == 0.5


def test_clusters_find_blobs_that_are_far_apart():
    centres = 100 * torch.eye(5)
    places = centres.repeat_interleave(30, 0) + torch.randn(150, 5)
    found = clusters(places, 5)
    nearest = torch.cdist(centres, found).min(1)
    assert sorted(nearest.indices.tolist()) == list(range(5))
    assert nearest.values.max() < 2
    assert MODES > 5


@pytest.mark.parametrize("facts", [{}, {"agreement": "x", "chance": None}, {"near": float("nan")}, {"repeated": []}])
def test_damaged_facts_worry_nobody(facts):
    assert not list(worries(facts))
