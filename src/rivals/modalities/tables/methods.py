"""Published games that are of rows, beside the engine's own."""

from rivals.engine.method import Method, Optimizer
from rivals.engine.methods import METHODS
from rivals.engine.schedule import Curve, Weight

ROWS: dict[str, Method] = {
    "ctgan": Method(
        title="rows under a condition, modes of numbers as categories, packs of ten, gradient penalty",
        paper="Xu et al., 2019, Modeling Tabular Data using Conditional GAN",
        url="https://arxiv.org/abs/1907.00503",
        formula="D: D(G(z, c), c) - D(x, c) + 10 (|dD| - 1)^2;  G: -D(G(z, c), c) + CE(c, G's logits of it)",
        loss="wasserstein",
        critic_terms={"gradient_penalty": Weight(10.0)},
        generator_terms={"asked": Weight(1.0)},
        optimizer=Optimizer(2e-4, (0.5, 0.9), decay=1e-6),
        norm=("batch", "none"),
        pack=10,
        anneal=Curve(1.0),
        batch=500,
    ),
    "ctab-gan-plus": Method(
        title="CTGAN's condition, the critic's statistics and a taught column as further aims, no packs",
        paper="Zhao et al., 2024, CTAB-GAN+: enhancing tabular data synthesis",
        url="https://arxiv.org/abs/2204.00401",
        formula="D: as WGAN-GP, five turns;  G: -D(G(z, c)) + CE(c) + |mean f - mean f'| + |std f - std f'| + C(G)",
        loss="wasserstein",
        critic_terms={"gradient_penalty": Weight(10.0), "taught": Weight(1.0)},
        generator_terms={"asked": Weight(1.0), "information": Weight(1.0), "downstream": Weight(1.0)},
        critic_steps=5,
        optimizer=Optimizer(2e-4, (0.5, 0.9), eps=1e-3, decay=1e-5),
        norm=("layer", "none"),
        anneal=Curve(1.0),
        batch=500,
    ),
}

TABLE_METHODS: dict[str, Method] = {**ROWS, **METHODS}
"""What rows can be trained with, by name."""
