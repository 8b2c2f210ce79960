"""Published games that turn pictures of one kind into another, each as its paper has it."""

from collections.abc import Mapping

from rivals.engine.method import Method, Optimizer
from rivals.engine.schedule import Curve, Weight

ADAM = Optimizer(2e-4, (0.5, 0.999))
DECAY = Curve(1.0, 0.0, "linear", begin=0.5)  # as long at the full rate as down to zero
SQUARES = "D: ((D(y) - 1)^2 + D(G(x))^2) / 2"
CUT = "Park et al., 2020, Contrastive Learning for Unpaired Image-to-Image Translation"

TRANSLATION: Mapping[str, Method] = {
    "pix2pix": Method(
        title="pairs: a critic that sees what is given beside what was made, and L1",
        paper="Isola et al., 2017, Image-to-Image Translation with Conditional Adversarial Networks",
        url="https://arxiv.org/abs/1611.07004",
        formula="D: softplus(-D(x, y)) + softplus(D(x, G(x)));  G: softplus(-D(x, G(x))) + 100 |y - G(x)|",
        loss="logistic",
        generator_terms={"pixels": Weight(100.0)},
        networks="unet",
        norm=("instance", "instance"),
        optimizer=ADAM,
        anneal=DECAY,
    ),
    "cut": Method(
        title="no pairs: every patch of what was made knows which patch it was made of",
        paper=CUT,
        url="https://arxiv.org/abs/2007.15651",
        formula=f"{SQUARES};  G: (D(G(x)) - 1)^2 + (NCE(x, G(x)) + NCE(y, G(y))) / 2",
        loss="least_squares",
        generator_terms={"adversarial": Weight(2.0), "patch_nce": Weight(0.5), "identity_nce": Weight(0.5)},
        networks="resnet",
        norm=("instance", "instance"),
        optimizer=ADAM,
        anneal=DECAY,
    ),
    "fastcut": Method(
        title="CUT at half the work: no identity, a stronger contrast, and mirror images for mirror images",
        paper=CUT,
        url="https://arxiv.org/abs/2007.15651",
        formula=f"{SQUARES};  G: (D(G(x)) - 1)^2 + 10 NCE(x, G(x)), half the time of mirrored x",
        loss="least_squares",
        generator_terms={"adversarial": Weight(2.0), "flip_nce": Weight(10.0)},
        networks="resnet",
        norm=("instance", "instance"),
        optimizer=ADAM,
        anneal=DECAY,
    ),
    "cyclegan": Method(
        title="no pairs, both ways at once: there and back again is the same picture",
        paper="Zhu et al., 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        url="https://arxiv.org/abs/1703.10593",
        formula="D: ((D(y) - 1)^2 + D(G(x))^2) / 2, and C of x and F(y) likewise;  G, F: (D(G(x)) - 1)^2 "
        "+ (C(F(y)) - 1)^2 + 10 (|F(G(x)) - x| + |G(F(y)) - y|) + 5 (|G(y) - y| + |F(x) - x|)",
        loss="least_squares",  # halved, and averaged over both critics: the weights of the sums above are 4 and 2
        critic_terms={"adversarial": Weight(2.0)},
        generator_terms={"adversarial": Weight(4.0), "cycle": Weight(10.0), "identity_both": Weight(5.0)},
        networks="cycle",
        norm=("instance", "instance"),
        optimizer=ADAM,
        anneal=DECAY,
    ),
    "style": Method(
        title="one or a few paintings: their Gram matrices, a critic of patches, and the photo's own content",
        paper="Johnson et al., 2016, Perceptual Losses for Real-Time Style Transfer and Super-Resolution; Li and Wand, "
        "2016, Precomputed Real-Time Texture Synthesis with Markovian Generative Adversarial Networks",
        url="https://arxiv.org/abs/1603.08155",
        formula=f"{SQUARES};  G: (D(G(x)) - 1)^2 / 2 + 10 |Gram(G(x)) - Gram(y)|^2 / |Gram(y)|^2 "
        "+ 2 |F(G(x)) - F(x)|, F and Gram of EfficientNet-Lite0's layers",
        loss="least_squares",
        generator_terms={"style": Weight(10.0), "subject": Weight(2.0)},
        networks="resnet",
        norm=("instance", "none"),
        optimizer=ADAM,
        anneal=DECAY,
    ),
}
