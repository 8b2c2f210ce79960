"""Published games as plain values: `METHODS["r3gan"]`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import RequestError
from .schedule import Weight


@dataclass(frozen=True)
class Optimizer:
    """Settings of Adam (Kingma and Ba, 2015), which every method here uses."""

    lr: float = 2e-4
    betas: tuple[float, float] = (0.0, 0.99)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        if not 0 < self.lr < 10:
            raise RequestError(f"a learning rate lies between 0 and 10, not at {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise RequestError(f"Adam's betas lie between 0 and below 1, not at {self.betas}")
        if not self.eps > 0:
            raise RequestError(f"Adam's eps lies above 0, not at {self.eps}")


@dataclass(frozen=True, kw_only=True)
class Method:
    """The part of a recipe that a paper published; plays on any modality.

    Args:
        title: what it is, in a line.
        paper: authors, year, title.
        url: where to read it.
        formula: what the critic (D) and the generator (G) minimise.
        loss: a name in `losses.LOSSES`.
        critic_terms, generator_terms: further terms by name in `terms.TERMS`, with their weights.
        networks: the networks it was published with, by name, where a modality has them; None for the modality's own.
        norm: normalisation in (generator, critic) as published: "batch", "none".
        spectral: spectral normalisation of the critic's layers.
        batch: as published; None leaves the choice to the modality.
    """

    title: str
    paper: str
    url: str
    formula: str
    loss: str
    critic_terms: Mapping[str, Weight] = field(default_factory=dict)
    generator_terms: Mapping[str, Weight] = field(default_factory=dict)
    critic_steps: int = 1
    optimizer: Optimizer = Optimizer()
    networks: str | None = None
    norm: tuple[str, str] = ("none", "none")
    spectral: bool = False
    batch: int | None = None


_GOODFELLOW = "Goodfellow et al., 2014, Generative Adversarial Networks"

METHODS: dict[str, Method] = {
    "gan": Method(
        title="the classic: two perceptrons and a cross-entropy, with the non-saturating generator",
        paper=_GOODFELLOW,
        url="https://arxiv.org/abs/1406.2661",
        formula="D: softplus(-D(x)) + softplus(D(G(z)));  G: softplus(-D(G(z)))",
        loss="logistic",
        networks="mlp",
        optimizer=Optimizer(2e-4, (0.9, 0.999)),
        batch=128,
    ),
    "gan-minimax": Method(
        title="the value function of 2014 itself, whose generator saturates",
        paper=_GOODFELLOW + " (eq. 1)",
        url="https://arxiv.org/abs/1406.2661",
        formula="D: softplus(-D(x)) + softplus(D(G(z)));  G: -softplus(D(G(z)))",
        loss="minimax",
        networks="mlp",
        optimizer=Optimizer(2e-4, (0.9, 0.999)),
        batch=128,
    ),
    "dcgan": Method(
        title="convolutions with batch normalisation on both sides",
        paper="Radford et al., 2016, Unsupervised Representation Learning with Deep Convolutional GANs",
        url="https://arxiv.org/abs/1511.06434",
        formula="D: softplus(-D(x)) + softplus(D(G(z)));  G: softplus(-D(G(z)))",
        loss="logistic",
        networks="dcgan",
        norm=("batch", "batch"),
        optimizer=Optimizer(2e-4, (0.5, 0.999)),
        batch=128,
    ),
    "lsgan": Method(
        title="least squares instead of cross-entropy",
        paper="Mao et al., 2017, Least Squares Generative Adversarial Networks",
        url="https://arxiv.org/abs/1611.04076",
        formula="D: ((D(x) - 1)^2 + D(G(z))^2) / 2;  G: (D(G(z)) - 1)^2 / 2",
        loss="least_squares",
        networks="dcgan",
        norm=("batch", "batch"),
        optimizer=Optimizer(2e-4, (0.5, 0.999)),
        batch=64,
    ),
    "wgan-gp": Method(
        title="Wasserstein distance, the critic kept 1-Lipschitz by a penalty on its gradient",
        paper="Gulrajani et al., 2017, Improved Training of Wasserstein GANs",
        url="https://arxiv.org/abs/1704.00028",
        formula="D: D(G(z)) - D(x) + 10 (|grad D(between)| - 1)^2;  G: -D(G(z))",
        loss="wasserstein",
        critic_terms={"gradient_penalty": Weight(10.0)},
        critic_steps=5,
        norm=("batch", "none"),
        optimizer=Optimizer(1e-4, (0.0, 0.9)),
        batch=64,
    ),
    "hinge": Method(
        title="hinge loss with spectral normalisation of the critic",
        paper="Miyato et al., 2018, Spectral Normalization for Generative Adversarial Networks",
        url="https://arxiv.org/abs/1802.05957",
        formula="D: relu(1 - D(x)) + relu(1 + D(G(z)));  G: -D(G(z))",
        loss="hinge",
        norm=("batch", "none"),
        spectral=True,
        critic_steps=5,
        optimizer=Optimizer(2e-4, (0.0, 0.9)),
        batch=64,
    ),
    "r3gan": Method(
        title="relativistic pairing with zero-centred penalties on real and fake: stable, and keeps the modes",
        paper="Huang et al., 2024, The GAN is dead; long live the GAN! A Modern Baseline GAN",
        url="https://arxiv.org/abs/2501.05441",
        formula="D: softplus(D(G(z)) - D(x)) + gamma/2 (|grad D(x)|^2 + |grad D(G(z))|^2);  "
        "G: softplus(D(x) - D(G(z)))",
        loss="relativistic",
        critic_terms={"r1": Weight(1.0), "r2": Weight(1.0)},
        optimizer=Optimizer(2e-4, (0.0, 0.99)),
    ),
}
