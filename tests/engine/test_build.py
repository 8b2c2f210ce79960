from dataclasses import replace

import pytest
import torch
from torch import nn

from rivals.engine.build import add_spectral_norm, build_game, build_optimizers
from rivals.engine.errors import RequestError
from rivals.engine.methods import Optimizer
from rivals.engine.recipe import change
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

IMAGES = Images(8, 8, 1)


def chosen(method="r3gan"):
    return choose_recipe(IMAGES, method, torch.device("cpu"), None, 10).recipe


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("generator.name", "dcgam", "no generator 'dcgam': did you mean 'dcgan'. there are biggan, dcgan"),
        ("critic.name", "dcgam", "no critic 'dcgam': did you mean 'dcgan'"),
        ("generator.options.witdh", "4", "generator 'dcgan' has no option 'witdh'; did you mean 'width'"),
        ("critic.options.zzz", "4", "critic 'dcgan' has no option 'zzz'; there are condition, width, norm"),
        ("critic.options.classes", "4", "critic 'dcgan' has no option 'classes'"),
        ("generator.options.width", "0", "generator 'dcgan': width must be at least 1, not 0"),
        ("generator.options.width", "-3", "generator 'dcgan': width must be at least 1, not -3"),
        ("generator.options.width", "wide", "generator 'dcgan' can't be built with width=wide"),
        ("generator.options.norm", "group", "no normalisation 'group'"),
        ("critic.options.condition", "tell", "no condition 'tell': there are none, concat, projection, auxiliary"),
        ("loss", "hing", "no loss 'hing': did you mean 'hinge'"),
        ("critic_terms.r3", "1", "no term 'r3': did you mean 'r1'|no term 'r3': did you mean 'r2'"),
    ],
)
def test_an_unknown_name_or_option_is_told_with_the_known_ones(path, value, words):
    with pytest.raises(RequestError, match=words):
        build_game(change(chosen(), path, value), IMAGES)


def test_the_same_seed_builds_the_same_weights_whatever_came_before():
    one = build_game(chosen(), IMAGES).state_dict()
    torch.rand(3)
    two = build_game(chosen(), IMAGES).state_dict()
    other = build_game(replace(chosen(), seed=1), IMAGES).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_spectral_norm_brings_the_largest_singular_value_to_one():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Flatten(), nn.Linear(6 * 36, 5))
    with torch.no_grad():
        net[0].weight.mul_(30)
        net[2].weight.mul_(0.1)
    add_spectral_norm(net)
    for _ in range(100):
        net(torch.randn(2, 3, 8, 8))
    net.eval()
    for layer in (net[0], net[2]):
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert float(largest) == pytest.approx(1.0, rel=1e-2)


def test_every_layer_of_the_hinge_methods_critic_is_normalised_and_none_of_the_generator():
    game = build_game(chosen("hinge"), IMAGES)
    layers = [part for part in game.critic.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert layers
    assert all("weight" in part.parametrizations for part in layers)
    assert not any(hasattr(part, "parametrizations") for part in game.generator.modules())


def test_each_side_has_its_own_settings_of_adam():
    recipe = replace(
        chosen(), optimizer=Optimizer(1e-3, (0.5, 0.9)), critic_optimizer=Optimizer(4e-3, (0.1, 0.8), 1e-6)
    )
    ours, theirs = build_optimizers(recipe, build_game(recipe, IMAGES))
    told = [(o.param_groups[0]["lr"], o.param_groups[0]["betas"], o.param_groups[0]["eps"]) for o in (ours, theirs)]
    assert told == [(1e-3, (0.5, 0.9), 1e-8), (4e-3, (0.1, 0.8), 1e-6)]


def test_networks_are_told_the_latent_width_and_shape():
    game = build_game(replace(chosen(), latent=7), Images(8, 12, 3))
    assert game.generator(torch.zeros(2, 7)).shape == (2, 3, 8, 12)
