import torch

from rivals.judging.probe import linear_probe


def test_a_linear_probe_tells_separable_classes_apart_whatever_the_scale_of_features():
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    features = 6 * torch.eye(3)[labels] + torch.randn(90, 3, generator=rng)
    probe = linear_probe(features * torch.tensor([1.0, 1e3, 1e-3]) + 5, labels, 3)
    others = 6 * torch.eye(3) * torch.tensor([1.0, 1e3, 1e-3]) + 5
    assert probe(others).tolist() == [0, 1, 2]


def test_a_constant_feature_does_no_harm():
    features = torch.tensor([[0.0, 7.0], [0.2, 7.0], [1.0, 7.0], [1.2, 7.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert linear_probe(features, labels, 2)(features).tolist() == labels.tolist()
