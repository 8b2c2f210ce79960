import pytest
import torch

from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images import Images
from rivals.modalities.images.cache import cut, load, survey
from rivals.modalities.images.features import Extractor
from rivals.modalities.images.judge import PicturesJudge
from rivals.modalities.images.networks import PerceptronGenerator

SPACE = Extractor(
    name="plain", digest="0", dimensions=4, embed=lambda x: x.flatten(1)[:, :4].contiguous(), classify=None, classes=(),
    resizer="none", quick=20, full=30,
)  # fmt: skip


class Copier(torch.nn.Module):
    """Gives real pictures in turn."""

    def __init__(self, pictures):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.pictures, self.asked = pictures, []

    def forward(self, z, cond=None):
        self.asked.append(cond)
        return self.pictures[torch.arange(len(z)) % len(self.pictures)]


def judged(make_pictures, classes=()):
    pictures = load(survey(make_pictures(classes=classes, count=40)), height=8, width=8, channels=3)
    return PicturesJudge.of(pictures, SPACE), Images.of(pictures), pictures


def model_of(images, network):
    return Model(network, images, "images", Use("mlp"), 4, {})


def test_a_generator_of_the_held_out_pictures_is_nearly_perfect_and_noise_is_not(make_pictures):
    judge, images, pictures = judged(make_pictures)
    copies = judge.quick(model_of(images, Copier(cut(pictures, pictures.held_out))))
    grey = judge.quick(model_of(images, PerceptronGenerator((3, 8, 8), latent=4)))
    assert set(copies) == {"fd", "fd_share"}
    assert set(copies) == {"fd", "fd_share"}
    assert copies["fd"] < 0.2 * grey["fd"]


def test_a_verdict_is_the_same_each_time_and_leaves_random_numbers_alone(make_pictures):
    judge, images, _ = judged(make_pictures, ("a", "b"))
    model = model_of(images, PerceptronGenerator((3, 8, 8), latent=4, classes=2))
    first = judge.quick(model)
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    assert judge.quick(model) == first
    assert torch.equal(torch.rand(2), expected)
    assert 0 <= first["agreement"] <= 100


def test_the_full_verdict_says_what_its_numbers_mean(make_pictures):
    judge, images, pictures = judged(make_pictures, ("a", "b"))
    found = judge.full(model_of(images, PerceptronGenerator((3, 8, 8), latent=4, classes=2)), count=25)
    assert found["protocol"]["samples"] == 25
    assert found["protocol"]["data_sha256"] == pictures.content
    assert "linear probe on plain" in found["protocol"]["classifier"]
    assert found["neighbours"]["samples"] >= 0
    assert found["floor"]["fd"] >= 0


def test_copies_of_training_pictures_are_seen_as_their_own_nearest_neighbours(make_pictures):
    judge, images, pictures = judged(make_pictures)
    copier = Copier(cut(pictures, pictures.train[:12]))
    samples, near = judge.neighbours(model_of(images, copier), count=12, k=2)
    assert near.shape == (12, 2, 3, 8, 8)
    assert torch.equal(near[:, 0], samples)
    assert judge.full(model_of(images, copier))["neighbours"]["samples"] == pytest.approx(0, abs=1e-3)
