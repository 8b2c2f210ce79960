import pytest
import torch

from rivals.engine.errors import RequestError
from rivals.layers.condition import CONDITIONS, Head, LabelledNoise, Planes

LABELS = torch.tensor([0, 2, 1])


def test_noise_carries_its_labels_vector_beside_it():
    layer, z = LabelledNoise(3, 5), torch.randn(3, 4)
    made = layer(z, LABELS)
    assert layer.width == 5
    assert torch.equal(made[:, :4], z)
    assert torch.equal(made[:, 4:], layer.embed.weight[LABELS])


def test_noise_without_classes_stays_as_it_is():
    z = torch.randn(3, 4)
    assert LabelledNoise(0, 5)(z, None) is z
    assert LabelledNoise(0, 5).width == 0


@pytest.mark.parametrize("shape", [(6,), (4, 5), (2, 3, 4)])
def test_a_label_is_one_more_channel(shape):
    layer, x = Planes(3, shape), torch.randn(3, 2, *shape)
    made = layer(x, LABELS)
    assert made.shape == (3, 3, *shape)
    assert torch.equal(made[:, :2], x)
    assert torch.equal(made[1, 2], layer.embed.weight[2].view(shape))


def test_a_projection_adds_the_product_of_features_and_label_vector():
    head, x = Head(7, 3, "projection"), torch.randn(3, 7)
    verdict = head(x, LABELS)
    expected = x @ head.logit.weight[0] + head.logit.bias + (head.project.weight[LABELS] * x).sum(1)
    torch.testing.assert_close(verdict.logits[0][:, 0], expected)
    assert verdict.features[0] is x
    assert verdict.aux is None


def test_an_auxiliary_head_gives_class_logits_and_needs_no_labels():
    verdict = Head(7, 3, "auxiliary")(torch.randn(2, 7), None)
    assert verdict.aux.shape == (2, 3)
    assert verdict.logits[0].shape == (2, 1)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_without_classes_every_condition_is_none(condition):
    head = Head(7, 0, condition)
    assert {name for name, _ in head.named_parameters()} == {"logit.weight", "logit.bias"}
    assert head(torch.randn(2, 7), None).aux is None


def test_an_unknown_condition_is_refused_with_the_known_ones():
    with pytest.raises(RequestError, match="no condition 'film': there are none, concat, projection, auxiliary"):
        Head(7, 3, "film")


@pytest.mark.parametrize("layer", [LabelledNoise(3, 5), Planes(3, (4,)), Head(4, 3, "projection")])
def test_a_missing_label_is_told(layer):
    x = torch.zeros(2, 1, 4) if isinstance(layer, Planes) else torch.zeros(2, 4)
    with pytest.raises(RequestError, match="built for 3 classes and needs a label"):
        layer(x, None)
