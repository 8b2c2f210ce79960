from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rivals.engine import terms
from rivals.engine.errors import RequestError
from rivals.engine.losses import LOSSES
from rivals.engine.terms import TERMS, Term, adversarial, weigh
from rivals.engine.types import Round, Verdict, leaf, leaves

SHAPES = [(5,), (4, 3), (2, 3, 4), (2, 3, 2, 2)]


class Graph(NamedTuple):
    nodes: Tensor
    edges: Tensor


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def number(value):
    return torch.as_tensor(value).detach().item()


def a_round(critic, real, fake, cond=None):
    return Round(critic, leaf(real), leaf(fake), cond, fake, torch.zeros(len(leaves(real)[0]), 0))


def linear(weight):
    return lambda sample, cond: Verdict(((sample * weight).flatten(1).sum(1, keepdim=True),))


def never(*args):
    raise AssertionError("asked")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_critic_has_half_its_squared_norm_as_r1_and_r2(shape):
    weight = drawn(*shape)
    r = a_round(linear(weight), drawn(6, *shape, seed=1), drawn(6, *shape, seed=2))
    half = number((weight.numpy() ** 2).sum() / 2)
    assert number(terms.r1(r)) == pytest.approx(half, rel=1e-5)
    assert number(terms.r2(r)) == pytest.approx(half, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_critic_has_its_norm_less_one_squared_as_penalty(shape):
    weight = drawn(*shape)
    r = a_round(linear(weight), drawn(6, *shape, seed=1), drawn(6, *shape, seed=2))
    norm = np.sqrt((weight.numpy() ** 2).sum())
    assert number(terms.gradient_penalty(r)) == pytest.approx((norm - 1) ** 2, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quadratic_critic_is_penalised_by_where_it_is_asked(shape):
    real, fake = drawn(6, *shape, seed=1), drawn(6, *shape, seed=2)
    r = a_round(lambda x, cond: Verdict((x.square().flatten(1).sum(1) / 2,)), real, fake)
    assert number(terms.r1(r)) == pytest.approx(number(real.square().flatten(1).sum(1).mean() / 2), rel=1e-4)
    assert number(terms.r2(r)) == pytest.approx(number(fake.square().flatten(1).sum(1).mean() / 2), rel=1e-4)
    torch.manual_seed(3)
    penalty = number(terms.gradient_penalty(r))
    torch.manual_seed(3)
    share = torch.rand(6).view(-1, *[1] * len(shape))
    norm = (fake + share * (real - fake)).flatten(1).norm(dim=1)
    assert penalty == pytest.approx(number((norm - 1).square().mean()), rel=1e-4)


def test_penalties_take_all_tensors_of_a_named_tuple_together():
    a, b = drawn(3, 2), drawn(4)

    def critic(graph, cond):
        assert isinstance(graph, Graph)
        return Verdict(((graph.nodes * a).flatten(1).sum(1) + (graph.edges * b).flatten(1).sum(1),))

    r = a_round(critic, Graph(drawn(5, 3, 2), drawn(5, 4)), Graph(drawn(5, 3, 2, seed=1), drawn(5, 4, seed=1)))
    squared = number(a.square().sum() + b.square().sum())
    assert number(terms.r1(r)) == pytest.approx(squared / 2, rel=1e-4)
    assert number(terms.r2(r)) == pytest.approx(squared / 2, rel=1e-4)
    assert number(terms.gradient_penalty(r)) == pytest.approx((squared**0.5 - 1) ** 2, rel=1e-4)


def test_whole_numbers_in_a_sample_take_no_part_in_r1():
    a = drawn(3, 2)
    r = a_round(
        lambda g, cond: Verdict(((g.nodes * a).flatten(1).sum(1),)),
        Graph(drawn(5, 3, 2), torch.zeros(5, 4, dtype=torch.int64)),
        Graph(drawn(5, 3, 2), torch.zeros(5, 4, dtype=torch.int64)),
    )
    assert number(terms.r1(r)) == pytest.approx(number(a.square().sum() / 2), rel=1e-4)


def test_a_flat_critic_has_a_finite_penalty_with_finite_gradients():
    weight = torch.zeros(4, requires_grad=True)
    penalty = terms.gradient_penalty(a_round(linear(weight), drawn(3, 4), drawn(3, 4, seed=1)))
    penalty.backward()
    assert number(penalty) == pytest.approx(1.0, abs=1e-4)
    assert torch.isfinite(weight.grad).all()


class SmallCritic(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x, cond=None):
        return Verdict((self.last(torch.tanh(self.first(x))),))


def exact_squared_gradient(critic, x):
    """The library computes it in float32, which finite differences can't check; this is the same in float64."""
    (gradient,) = torch.autograd.grad(critic(x).logits[0].sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def test_the_squared_gradient_passes_gradcheck_and_gradgradcheck():
    critic, x = SmallCritic().double(), drawn(2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda t: exact_squared_gradient(critic, t), x)
    assert torch.autograd.gradgradcheck(lambda t: critic(t).logits[0], x)
    torch.testing.assert_close(
        terms.squared_gradient(critic(x).logits, x).double(), exact_squared_gradient(critic, x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty", "dragan"])
def test_a_penaltys_gradient_on_the_weights_equals_finite_differences(name):
    critic, real, fake = SmallCritic(), drawn(4, 3), drawn(4, 3, seed=1)

    def value():
        torch.manual_seed(0)
        return TERMS[name](a_round(critic, real, fake))

    value().backward()
    flat = critic.first.weight.detach().view(-1)  # shares the weight's memory
    for at in range(0, flat.numel(), 3):
        flat[at] += 1e-2
        up = number(value())
        flat[at] -= 2e-2
        down = number(value())
        flat[at] += 1e-2
        assert number(critic.first.weight.grad.view(-1)[at]) == pytest.approx((up - down) / 2e-2, rel=2e-2, abs=1e-3)


def test_penalties_take_samples_in_double_precision():
    weight = drawn(3).double()
    r = a_round(linear(weight), drawn(6, 3, seed=1).double(), drawn(6, 3, seed=2).double())
    assert number(terms.r1(r)) == pytest.approx(number(weight.square().sum() / 2), rel=1e-5)
    assert number(terms.gradient_penalty(r)) == pytest.approx(number((weight.norm() - 1) ** 2), rel=1e-5)


def test_whole_numbers_in_a_sample_take_no_part_in_the_gradient_penalty():
    a = drawn(3, 2)
    edges = torch.zeros(5, 4, dtype=torch.int64)
    r = a_round(
        lambda g, c: Verdict(((g.nodes * a).flatten(1).sum(1),)),
        Graph(drawn(5, 3, 2), edges),
        Graph(drawn(5, 3, 2), edges),
    )
    assert number(terms.gradient_penalty(r)) == pytest.approx(number((a.norm() - 1) ** 2), rel=1e-5)


def test_classifiers_loss_is_the_cross_entropy_of_the_asked_class():
    scores, cond = drawn(4, 3), torch.tensor([0, 2, 1, 1])
    r = a_round(lambda x, c: Verdict((x.sum(1),), (), scores * x[:, :1]), torch.ones(4, 2), drawn(4, 2), cond)
    p = np.exp(scores.numpy())
    expected = -np.log(p[range(4), cond] / p.sum(1)).mean()
    assert number(terms.classify_real(r)) == pytest.approx(expected, rel=1e-5)
    q = np.exp((scores * r.fake[:, :1]).detach().numpy())
    assert number(terms.classify_fake(r)) == pytest.approx(-np.log(q[range(4), cond] / q.sum(1)).mean(), rel=1e-5)


@pytest.mark.parametrize("name", ["classify_real", "classify_fake"])
def test_a_classifiers_loss_says_what_is_missing(name):
    with pytest.raises(RequestError, match="needs class logits"):
        TERMS[name](a_round(linear(1.0), drawn(2, 2), drawn(2, 2), torch.zeros(2, dtype=torch.int64)))
    with pytest.raises(RequestError, match="needs labels"):
        TERMS[name](a_round(lambda x, c: Verdict((x,), (), x), drawn(2, 2), drawn(2, 2)))


def test_feature_matching_is_the_mean_distance_and_leaves_the_real_side_alone():
    real, fake = drawn(3, 4), drawn(3, 4, seed=1)
    r = a_round(lambda x, c: Verdict((x,), (x, 2 * x)), real, fake)
    value = terms.feature_matching(r)
    assert number(value) == pytest.approx(1.5 * number((real - fake).abs().mean()))
    value.backward()
    assert r.real.grad is None
    assert r.fake.grad is not None


def test_feature_matching_says_that_the_critic_shows_no_features():
    with pytest.raises(RequestError, match="shows none"):
        terms.feature_matching(a_round(linear(1.0), drawn(2, 2), drawn(2, 2)))


def test_pixels_is_the_mean_absolute_difference_over_all_tensors_of_a_sample():
    real, fake = Graph(drawn(3, 2), drawn(3, 5)), Graph(drawn(3, 2, seed=1), drawn(3, 5, seed=1))
    expected = np.mean([(a - b).abs().mean().item() for a, b in zip(real, fake, strict=True)])
    assert number(terms.pixels(a_round(never, real, fake))) == pytest.approx(expected)


@given(every=st.integers(1, 7), weight=st.floats(0.01, 10))
def test_a_lazy_term_counts_as_often_as_it_is_left_out(every, weight):
    r = a_round(never, drawn(1, 1), drawn(1, 1))
    term = Term(lambda _: torch.tensor(2.0, dtype=torch.float64), weight, every)
    taken = [weigh({"t": term}, r, step, 0.0) for step in range(every * 3)]
    assert [step for step, found in enumerate(taken) if found] == [0, every, 2 * every]
    assert sum(number(found["t"]) for found in taken if found) == pytest.approx(2.0 * weight * every * 3)


def test_a_term_of_weight_zero_is_never_computed():
    r = a_round(never, drawn(1, 1), drawn(1, 1))
    assert weigh({"a": Term(never, 0.0), "b": Term(never, lambda progress: 0.0)}, r, 0, 0.5) == {}


def test_a_curved_weight_is_read_at_the_progress():
    r = a_round(never, drawn(1, 1), drawn(1, 1))
    found = weigh({"t": Term(lambda _: torch.tensor(3.0), lambda progress: 2 * progress)}, r, 0, 0.25)
    assert number(found["t"]) == 1.5


@pytest.mark.parametrize("name", LOSSES)
def test_adversarial_terms_average_over_members_and_samples(name):
    real, fake = drawn(4, 1), drawn(4, 1, seed=1)
    r = a_round(lambda x, c: Verdict((x, 2 * x, x - 1)), real, fake)
    critic, generator = adversarial(LOSSES[name])
    for term, half in ((critic, LOSSES[name].critic), (generator, LOSSES[name].generator)):
        members = [half(a.float(), b.float()) for a, b in ((real, fake), (2 * real, 2 * fake), (real - 1, fake - 1))]
        assert number(term(r)) == pytest.approx(np.mean([number(m.mean()) for m in members]), rel=1e-5)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if not loss.relativistic])
def test_a_generator_that_is_not_relativistic_never_asks_about_real_data(name):
    asked = []
    real, fake = drawn(4, 1), drawn(4, 1, seed=1)
    r = a_round(lambda x, c: asked.append(x) or Verdict((x,)), real, fake)
    adversarial(LOSSES[name])[1](r)
    assert len(asked) == 1
    assert asked[0] is r.fake


def test_r1_asks_the_critic_no_second_time():
    asked = []
    r = a_round(lambda x, c: asked.append(x) or Verdict((x.square(),)), drawn(4, 1), drawn(4, 1, seed=1))
    adversarial(LOSSES["relativistic"])[0](r)
    terms.r1(r)
    terms.r2(r)
    assert len(asked) == 2


def test_half_precision_logits_are_judged_in_full_precision():
    r = a_round(lambda x, c: Verdict((x.half() * 300,)), drawn(4, 1), drawn(4, 1, seed=1))
    assert adversarial(LOSSES["least_squares"])[0](r).dtype == torch.float32
    assert torch.isfinite(adversarial(LOSSES["least_squares"])[0](r))


@pytest.mark.parametrize("shape", SHAPES)
def test_dragan_around_a_linear_critics_real_samples_is_its_norm_less_one_squared(shape):
    weight = drawn(*shape).double()
    r = a_round(linear(weight), drawn(6, *shape, seed=1).double(), drawn(6, *shape, seed=2).double())
    assert number(terms.dragan(r)) == pytest.approx(number((weight.norm() - 1) ** 2), rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_dragan_asks_a_quadratic_critic_within_half_a_deviation_above_the_real_samples(shape):
    real = drawn(6, *shape, seed=1)
    asked = []
    r = a_round(lambda x, c: asked.append(x) or Verdict((x.square().flatten(1).sum(1) / 2,)), real, drawn(6, *shape))
    torch.manual_seed(3)
    penalty = number(terms.dragan(r))
    torch.manual_seed(3)
    points = real.numpy() + 0.5 * real.numpy().std() * torch.rand(6, *shape).numpy()
    norm = np.sqrt((points.reshape(6, -1) ** 2).sum(1))
    assert penalty == pytest.approx(((norm - 1) ** 2).mean(), rel=1e-4)
    (points,) = asked
    away = (points - real) / real.std(correction=0)
    assert away.min() >= 0
    assert away.max() < 0.5
    assert points.is_leaf  # cut off from whatever made the real samples


def test_dragan_of_one_sample_of_one_number_is_finite():
    assert number(terms.dragan(a_round(linear(3.0), drawn(1, 1), drawn(1, 1)))) == pytest.approx(4.0)


def test_whole_numbers_in_a_sample_take_no_part_in_dragan():
    a = drawn(3, 2)
    edges = torch.zeros(5, 4, dtype=torch.int64)
    graph = Graph(drawn(5, 3, 2), edges)
    r = a_round(lambda g, c: Verdict(((g.nodes * a).flatten(1).sum(1) + g.edges.sum(1),)), graph, graph)
    assert number(terms.dragan(r)) == pytest.approx(number((a.norm() - 1) ** 2), rel=1e-5)


def told(real, fake):
    """A round in which the critic gives these logits, one or many a sample, by member."""
    both = {0: [torch.as_tensor(part) for part in real], 1: [torch.as_tensor(part) for part in fake]}
    return a_round(lambda x, c: Verdict(tuple(both[int(x[0, 0])])), torch.zeros(1, 1), torch.ones(1, 1))


@given(st.lists(st.tuples(*[st.lists(st.floats(-5, 5), min_size=3, max_size=3)] * 2), min_size=1, max_size=5))
def test_lecam_equals_its_formula_with_weighted_running_means(batches):
    """Independent: after n batches the running mean is the mean with weights 0.99^(n - 1), ..., 0.99, 1."""
    lecam = terms.LeCam()
    for n in range(1, len(batches) + 1):
        real, fake = (np.array([batch[side] for batch in batches[:n]]) for side in (0, 1))
        weights = 0.99 ** np.arange(n - 1, -1, -1)
        means = [np.average(part.mean(1), weights=weights) for part in (real, fake)]
        expected = ((real[-1] - means[1]) ** 2).mean() + ((fake[-1] - means[0]) ** 2).mean()
        assert number(lecam(told([real[-1]], [fake[-1]]))) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_lecam_averages_over_members_of_any_shape():
    real, fake = [drawn(4, 1), drawn(4, 1, 3, 3, seed=1)], [drawn(4, 1, seed=2), drawn(4, 1, 3, 3, seed=3)]
    a, b = (np.mean([number(part.mean()) for part in side]) for side in (real, fake))
    expected = np.mean([number((part - b).square().mean()) for part in real])
    expected += np.mean([number((part - a).square().mean()) for part in fake])
    assert number(terms.LeCam()(told(real, fake))) == pytest.approx(expected, rel=1e-5)


def test_lecam_moves_the_logits_and_never_its_own_means():
    lecam, scale = terms.LeCam(), torch.ones((), requires_grad=True)
    real, fake = drawn(5, 1), drawn(5, 1, seed=1)
    r = a_round(lambda x, c: Verdict((scale * x,)), real, fake)
    lecam(r).backward()
    held = 2 * number((real * (real - fake.mean())).mean() + (fake * (fake - real.mean())).mean())
    assert number(scale.grad) == pytest.approx(held, rel=1e-4)
    assert not any(part.requires_grad for part in lecam.buffers())
    assert list(lecam.parameters()) == []


def test_lecams_memory_survives_its_state():
    lecam, other = terms.LeCam(), terms.LeCam()
    rounds = [told([drawn(3, seed=at)], [drawn(3, seed=9 + at)]) for at in range(4)]
    for r in rounds[:3]:
        lecam(r)
    other.load_state_dict(lecam.state_dict())
    assert number(other(rounds[3])) == number(lecam(rounds[3])) != number(terms.LeCam()(rounds[3]))
