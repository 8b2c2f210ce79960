import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rivals.engine.build import build_network
from rivals.engine.errors import RequestError
from rivals.engine.model import Model
from rivals.engine.recipe import Use
from rivals.modalities.images.edits.ensemble import SelfEnsemble, ensembled
from rivals.modalities.images.edits.modality import Edits, edit

NETWORKS = {
    "denoise": ("edsr", {"width": 4, "blocks": 1}),
    "super-resolution": ("compact", {"width": 4, "depth": 1}),
    "inpaint": ("fourier", {"width": 4, "blocks": 1}),
}


def model_of(task="denoise", **more):
    edits = Edits(task, **({"super-resolution": {"scale": 2}, "inpaint": {"seen": 4}}.get(task, {}) | more))
    use = Use(*NETWORKS[task])
    torch.manual_seed(0)
    network = build_network(use, edits.generators, "generator", latent=0, **edits.common()).eval()
    for weights in network.parameters():  # those that add nothing at first would look the same from all sides
        nn.init.normal_(weights, std=0.2)
    return Model(network.requires_grad_(False), edits, "edits", use, 0, {})


def given_to(edits, height=24, width=32):
    x = torch.rand(2, edits.seen, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1
    if edits.task == "inpaint":
        x[:, -1] = (x[:, -1] > 0.5).float()
    return x


@pytest.mark.parametrize("task", NETWORKS)
def test_it_is_the_mean_of_eight_looks_as_numpy_has_it(task):
    model = model_of(task)
    given = given_to(model.modality)
    looks = []
    for turns in range(4):
        for mirror in (lambda x: x, lambda x: x[..., ::-1]):
            seen = torch.from_numpy(mirror(np.rot90(given.numpy(), turns, (2, 3))).copy())
            looks.append(np.rot90(mirror(edit(model.network, model.modality, seen).numpy()), -turns, (2, 3)))
    made = edit(ensembled(model).network, model.modality, given).numpy()
    np.testing.assert_allclose(made, np.mean(looks, 0), atol=1e-5)
    assert np.std(looks, 0).mean() > 0.01


@pytest.mark.parametrize("task", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (20, 31)])
def test_pictures_of_any_size_come_back_in_theirs(task, size):
    model = ensembled(model_of(task))
    given = given_to(model.modality, *size)
    made = edit(model.network, model.modality, given)
    assert made.shape == (2, 3, *(model.modality.scale * side for side in size))
    inner = edit(model.network, model.modality, given_to(model.modality, *size))
    torch.testing.assert_close(inner, made)


def test_one_more_row_and_column_change_nothing_far_away():
    """Turned looks begin at the other end, and would fold other pixels together."""
    model = ensembled(model_of())
    given = given_to(model.modality, 65, 65)
    larger, smaller = (edit(model.network, model.modality, given[..., :side, :side]) for side in (65, 64))
    torch.testing.assert_close(larger[..., :32, :32], smaller[..., :32, :32], atol=1e-5, rtol=0)


@pytest.mark.parametrize("task", NETWORKS)
def test_a_turned_picture_gives_the_turned_result(task):
    model = ensembled(model_of(task))
    given = given_to(model.modality)
    made = edit(model.network, model.modality, given)
    turned = edit(model.network, model.modality, given.rot90(1, (2, 3)).flip(3))
    assert torch.allclose(turned, made.rot90(1, (2, 3)).flip(3), atol=1e-5)


class Same(nn.Module):
    def forward(self, z: Tensor, cond: Tensor) -> Tensor:
        return cond


def test_what_every_look_agrees_on_stays_as_it_is():
    given = given_to(Edits("denoise"))
    assert torch.allclose(SelfEnsemble(Same(), Edits("denoise"))(given.new_zeros(2, 0), given), given, atol=1e-6)


def test_the_mean_is_nearer_to_the_truth_where_looks_err_apart():
    class Noisy(nn.Module):
        def forward(self, z: Tensor, cond: Tensor) -> Tensor:
            return cond + 0.1 * torch.randn(cond.shape, generator=torch.Generator().manual_seed(0)).view_as(cond)

    given = 0.5 * given_to(Edits("denoise"), 24, 24)
    alone = (Noisy()(given[:, :0], given) - given).square().mean()
    whole = (SelfEnsemble(Noisy(), Edits("denoise"))(given[:, :0], given) - given).square().mean()
    assert float(whole) == pytest.approx(float(alone) / 8, rel=0.2)  # errors that know nothing of each other


def test_translation_is_refused():
    model = model_of()
    with pytest.raises(RequestError, match="models that restore"):
        ensembled(Model(model.network, Edits("unpaired"), "edits", model.generator, 0, {}))
