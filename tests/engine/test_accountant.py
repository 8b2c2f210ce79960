import math
import sys
from dataclasses import replace

import pytest

from rivals.engine.accountant import ALPHAS, Look, epsilon_spent, look_noise, noise_multiplier, plan
from rivals.engine.errors import RequestError
from rivals.engine.ledger import Charge, Ledger, Privacy
from rivals.engine.recipe import Recipe, Use

RECIPE = Recipe(
    modality="m", generator=Use("g"), critic=Use("c"), batch=256, steps=500, critic_steps=2, privacy=Privacy(3.0)
)
LEDGER = Ledger.of(Privacy(3.0), 26_048)


@pytest.fixture(autouse=True, scope="module")
def _opacus():
    pytest.importorskip("scipy")
    if "opacus" not in sys.modules:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("opacus")


@pytest.mark.parametrize(("sigma", "steps"), [(2.0, 1), (5.0, 10), (30.0, 100)])
def test_without_sampling_it_is_the_closed_form_of_the_gaussian_mechanism(sigma, steps):
    delta = 1e-5
    closed = min(
        steps * alpha / (2 * sigma**2)
        + math.log1p(-1 / alpha)
        - (math.log(delta) + math.log(alpha)) / (alpha - 1)  # Canonne et al., 2020, proposition 12
        for alpha in ALPHAS
    )
    assert epsilon_spent(sigma, 1.0, steps, delta) == pytest.approx(closed, rel=1e-9)


def test_it_is_what_opacus_counts_step_by_step():
    from opacus.accountants import RDPAccountant

    theirs = RDPAccountant()
    for _ in range(40):
        theirs.step(noise_multiplier=1.1, sample_rate=0.02)
    assert epsilon_spent(1.1, 0.02, 40, 1e-5) == pytest.approx(theirs.get_epsilon(1e-5, alphas=ALPHAS), rel=1e-12)
    assert epsilon_spent(1.1, 0.02, 0, 1e-5) == 0


@pytest.mark.parametrize(("epsilon", "batch", "steps", "known"), [(1, 256, 5000, 2.89), (3, 500, 2600, 1.63)])
def test_the_noise_is_as_measured_before(epsilon, batch, steps, known):
    assert noise_multiplier(epsilon, 26_048**-1.1, batch / 26_048, steps) == pytest.approx(known, rel=0.01)


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 3.0, 12.0])
def test_the_noise_found_keeps_the_budget_and_hardly_less_would(epsilon):
    delta, rate, steps = 1e-5, 0.01, 1000
    sigma = noise_multiplier(epsilon, delta, rate, steps)
    assert 0.98 * epsilon < epsilon_spent(sigma, rate, steps, delta) <= epsilon


def test_a_plan_charges_every_critic_step_to_what_is_left():
    before = LEDGER.charge(Charge("ranges", "x", 0.5, 1e-7))
    made = plan(RECIPE, before)
    assert (made.rows, made.batch, made.rounds, made.critic_steps) == (26_048, 256, 500, 2)
    assert made.rate == 256 / 26_048
    assert made.ledger.charges[:-1] == before.charges
    assert made.sigma == noise_multiplier(*before.left, made.rate, 1000)
    assert made.ledger.charges[-1].epsilon == epsilon_spent(made.sigma, made.rate, 1000, before.left[1])
    assert 2.97 < made.ledger.spent[0] <= 3.0
    assert plan(RECIPE, LEDGER).sigma < made.sigma
    assert plan(replace(RECIPE, critic_steps=1), LEDGER).sigma < plan(RECIPE, LEDGER).sigma


def test_looks_and_training_together_cost_less_than_one_after_the_other():
    looks = [Look("a", "x", 6.0), Look("b", "y", 12.0)]
    made = plan(RECIPE, LEDGER, looks)
    assert [charge.what for charge in made.ledger.charges] == ["a", "b", "training"]
    assert made.ledger.charges[0].epsilon == pytest.approx(4 * made.ledger.charges[1].epsilon)
    assert 2.97 < made.ledger.spent[0] <= 3.0
    together = epsilon_spent(made.sigma, made.rate, 1000, LEDGER.delta, [6.0, 12.0])
    assert math.fsum(charge.epsilon for charge in made.ledger.charges) == pytest.approx(together)
    apart = epsilon_spent(5.0, 1.0, 0, LEDGER.delta / 2, [6.0, 12.0])
    apart += epsilon_spent(made.sigma, made.rate, 1000, LEDGER.delta / 2)
    assert together < 0.9 * apart
    assert plan(RECIPE, LEDGER).sigma < made.sigma


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_the_noise_of_looks_takes_about_its_share(share):
    noise = look_noise(3.0, 1e-5, share)
    whole = look_noise(3.0, 1e-5, 1.0)
    assert noise == pytest.approx(whole / math.sqrt(share))
    assert epsilon_spent(1.0, 1.0, 0, 1e-5, [whole]) == pytest.approx(3.0, rel=0.15)  # its bound is not tight
    made = plan(RECIPE, LEDGER, [Look("a", "x", look_noise(3.0, LEDGER.delta, share))])
    assert 0.3 * share < made.ledger.charges[0].epsilon / 3.0 < 1.2 * share


def test_a_given_sigma_is_charged_for_what_it_takes_and_refused_where_that_is_too_much():
    enough = plan(replace(RECIPE, privacy=Privacy(3.0, sigma=4.0)), LEDGER)
    assert enough.sigma == 4.0
    assert 0 < enough.ledger.spent[0] < 1
    with pytest.raises(RequestError, match=r"sigma 0.5 takes epsilon .* at least 0\.\d+"):
        plan(replace(RECIPE, privacy=Privacy(3.0, sigma=0.5)), LEDGER)


@pytest.mark.parametrize(
    ("recipe", "ledger", "words"),
    [
        (replace(RECIPE, privacy=None), LEDGER, "asks for no privacy"),
        (replace(RECIPE, steps=None, minutes=1.0), LEDGER, "needs --steps"),
        (replace(RECIPE, batch=512), Ledger.of(Privacy(3.0), 300), "512 of 300 rows"),
        (RECIPE, LEDGER.charge(Charge("x", "y", 3.0)), "nothing is left"),
        (RECIPE, LEDGER.charge(Charge("x", "y", 0.0, LEDGER.delta)), "nothing is left"),
    ],
)
def test_what_can_not_be_planned_is_refused(recipe, ledger, words):
    with pytest.raises(RequestError, match=words):
        plan(recipe, ledger)


def test_a_budget_too_small_for_any_noise_is_refused():
    with pytest.raises(RequestError, match="no sensible amount of noise"):
        noise_multiplier(1e-9, 1e-5, 0.01, 10_000)


def test_without_opacus_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    with pytest.raises(RequestError, match=r"pip install 'rivals\[privacy\]'"):
        plan(RECIPE, LEDGER)
