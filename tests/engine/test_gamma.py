from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from rivals.engine.gamma import SHARE, gamma_for, weighed
from rivals.engine.schedule import Weight
from rivals.modalities.images import Images
from rivals.modalities.images.recipes import choose_recipe

DATA = torch.randn(400, 1, 6, 5, generator=torch.Generator().manual_seed(0))


def test_gamma_is_a_share_of_the_total_variance():
    assert gamma_for(DATA) == pytest.approx(SHARE * float(DATA.double().flatten(1).var(0).sum()), rel=1e-2)
    assert gamma_for(DATA) == pytest.approx(SHARE * 30, rel=0.1)


@given(scale=st.floats(0.1, 20), shift=st.floats(-5, 5))
def test_it_has_the_unit_of_a_squared_sample_and_no_origin(scale, shift):
    assert gamma_for(DATA * scale + shift) == pytest.approx(scale**2 * gamma_for(DATA), rel=1e-2)


def test_pictures_of_twice_the_size_need_four_times_as_much():
    assert gamma_for(interpolate(DATA, scale_factor=2)) == pytest.approx(4 * gamma_for(DATA), rel=1e-2)


def test_all_numbers_of_a_record_count_and_names_do_not():
    assert gamma_for((DATA, torch.arange(400), DATA[:, :, 0])) == pytest.approx(gamma_for(DATA) * 35 / 30, rel=0.1)


def test_a_penalty_that_is_held_back_by_gamma_does_the_same_to_scaled_data():
    def slope(data, gamma):  # of the best linear critic w x of real data against their negatives, under R1 and R2
        w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([w], max_iter=200, line_search_fn="strong_wolfe")

        def loss():
            optimizer.zero_grad()
            value = torch.nn.functional.softplus(-2 * data @ w).mean() + gamma * w.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        return data @ w.detach()

    data = torch.randn(100, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.3
    with torch.no_grad():
        one, three = gamma_for(data), gamma_for(3 * data)
    torch.testing.assert_close(
        slope(data, 50 * one).detach(), slope(3 * data, 50 * three).detach(), rtol=0.02, atol=1e-2
    )


def test_only_the_named_penalties_are_weighed_and_both_ends_of_their_curves():
    recipe = choose_recipe(Images(8, 8, 1), "r3gan", torch.device("cpu"), None, 5).recipe
    recipe = replace(recipe, critic_terms={**recipe.critic_terms, "lecam": Weight(3.0)})
    terms = weighed(recipe, 0.5, ["r1"]).critic_terms
    r2 = recipe.critic_terms["r2"]
    assert terms == {"r1": replace(r2, start=0.5, stop=0.05), "r2": r2, "lecam": Weight(3.0)}
