"""Published games that restore pictures, beside those that translate them and the engine's own."""

from collections.abc import Mapping

from rivals.engine.method import Method, Optimizer
from rivals.engine.methods import METHODS
from rivals.engine.schedule import Weight

from .methods_translate import TRANSLATION

ADAM = Optimizer(1e-4, (0.9, 0.99))
JOINS = 0.25  # of the time, after which the critic begins to learn; before, papers train a whole network by L1
COUNTS = 0.35  # after which it counts in full
CRITIC = Weight(0.0, 1.0, "switch", begin=JOINS)


def warmed(weight: float) -> Weight:
    """A weight that is 0 until the critic has begun to learn, and then rises."""
    return Weight(0.0, weight, "linear", begin=JOINS, end=COUNTS)


ALIKE = {"pixels": Weight(1.0), "perceptual": Weight(0.0, 0.5, "switch", begin=JOINS)}
"""What holds a restored picture to the true one."""

RESTORATION: Mapping[str, Method] = {
    "plain": Method(
        title="no critic: the mean absolute difference alone, for the highest PSNR; smooth where nobody can know",
        paper="Zhao et al., 2017, Loss Functions for Image Restoration with Neural Networks",
        url="https://arxiv.org/abs/1511.08861",
        formula="G: |y - G(x)|",
        loss="logistic",
        critic_terms={"adversarial": Weight(0.0)},
        generator_terms={"adversarial": Weight(0.0), "pixels": Weight(1.0)},
        optimizer=ADAM,
    ),
    "esrgan": Method(
        title="real pictures should look more real than the mean fake, and the other way round; features and pixels",
        paper="Wang et al., 2018, ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
        url="https://arxiv.org/abs/1809.00219",
        formula="D: softplus(mean D(G(x)) - D(y)) + softplus(D(G(x)) - mean D(y));  G: a of the same with sides "
        "exchanged + p |F(y) - F(G(x))| + |y - G(x)|, F of EfficientNet-Lite0 rather than VGG19; a and p from 0",
        loss="relativistic_average",
        critic_terms={"adversarial": CRITIC},
        generator_terms={"adversarial": warmed(0.05), **ALIKE},
        spectral=True,
        optimizer=ADAM,
    ),
    "real-esrgan": Method(
        title="the classic game with spectral normalisation of the critic; features and pixels",
        paper="Wang et al., 2021, Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
        url="https://arxiv.org/abs/2107.10833",
        formula="D: softplus(-D(y)) + softplus(D(G(x)));  G: a softplus(-D(G(x))) + p |F(y) - F(G(x))| + |y - G(x)|, "
        "F of EfficientNet-Lite0 rather than VGG19; a and p from 0",
        loss="logistic",
        critic_terms={"adversarial": CRITIC},
        generator_terms={"adversarial": warmed(0.05), **ALIKE},
        spectral=True,
        optimizer=ADAM,
    ),
    "lama": Method(
        title="holes filled: features of the critic, R1, and a critic that is shown where the holes are",
        paper="Suvorov et al., 2022, Resolution-robust Large Mask Inpainting with Fourier Convolutions",
        url="https://arxiv.org/abs/2109.07161",
        formula="D: softplus(-D(y, m)) + softplus(D(G(x), m)) + r |grad D(y, m)|^2;  G: a softplus(-D(G(x), m)) "
        "+ b |f(y) - f(G(x))| + p |F(y) - F(G(x))| + |y - G(x)|, f of D, F of EfficientNet-Lite0; a, b, p and r from 0",
        loss="logistic",
        # The paper's weight is 0.008 on this scale (half the squared gradient, pictures in [-1, 1]). The gradient is
        # of the sum over all patches, many of which see no hole: so held, a short training's critic learns nothing.
        critic_terms={"adversarial": CRITIC, "r1": Weight(0.0, 8e-5, "switch", begin=JOINS)},
        generator_terms={
            "adversarial": warmed(0.05),
            "feature_matching": warmed(0.2),
            **ALIKE,
            "perceptual": Weight(0.0, 1.0, "switch", begin=JOINS),
        },
        optimizer=Optimizer(1e-3, (0.9, 0.99)),
        critic_optimizer=Optimizer(4e-4, (0.9, 0.99)),
    ),
}

EDIT_METHODS: Mapping[str, Method] = {**RESTORATION, **TRANSLATION, **METHODS}
"""What pictures can be edited with, by name."""
