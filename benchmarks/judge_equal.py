"""Are our distances those of others? The same features, in our code and in the peers' own.

    python benchmarks/peers/judging.py       # their environment, once
    python benchmarks/judge_equal.py

Four sets of features, float64: real digits against noisy ones (64 features of the benchmark's judge), Gaussians in
2,048 dimensions with fewer rows than dimensions and with more, and heavy tails (Student's t with 3 degrees of freedom).
FD, the kernel distance with the same subsets, precision and recall (k = 3), density and coverage (k = 5), Inception
Score, against torch-fidelity, torchmetrics, pytorch-fid (scipy's sqrtm) and prdc. Asked: a relative difference of 1e-4
at most. Gaussians whose distance is known in closed form: 1e-8. Writes results/judge_equal.json.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import judges
import running
import sets
from common import write_result
from peers import judging
from peers.judging_inside import SEED, SUBSET_SIZE, SUBSETS
from rivals.judging.compare import density_coverage, frechet, frechet_from, kernel, mmd, precision_recall
from rivals.judging.score import inception_score

WANTED, WANTED_CLOSED = 1e-4, 1e-8


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def digits(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features of noisy held-out digits, of other held-out digits, and the logits of the noisy ones."""
    known = judges.judge("mnist")
    pictures = judges.as_pictures(sets.part("mnist", "t10k")[0])
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    chosen = pictures[order[:count]]
    noisy = (chosen + 0.3 * normal(*chosen.shape, seed=1).float()).clamp(-1, 1)
    fake = known.embed(noisy)
    return fake.double(), known.held_out[order[count : 2 * count]].double(), known.network.head(fake).double()


def gaussians(n: int, m: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Correlated rows whose deviations fall a hundredfold, the fakes shifted and spread a little wider."""
    scales = torch.logspace(0, -2, d, dtype=torch.float64)
    fake, real = (normal(count, d, seed=seed) * scales for count, seed in ((n, 2), (m, 3)))
    fake = 1.1 * (fake + 0.5 * fake.roll(1, 1)) + 0.01
    real = real + 0.5 * real.roll(1, 1)
    return fake, real, 3 * fake[:, :10]


def heavy(n: int, m: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of Student's t with 3 degrees of freedom, a radius a row."""
    rng = np.random.default_rng(4)
    fake, real = (
        normal(count, d, seed=seed) * torch.from_numpy(np.sqrt(3 / rng.chisquare(3, (count, 1))))
        for count, seed in ((n, 5), (m, 6))
    )
    return 0.9 * fake + 0.05, real, 2 * fake[:, :20]


def ours(fake: Tensor, real: Tensor, logits: Tensor) -> dict[str, float]:
    """Our numbers, those that depend on random subsets with each peer's own."""
    blocks = kernel(fake, real, blocks=SUBSETS, block_size=SUBSET_SIZE, seed=SEED)
    score = inception_score(logits.softmax(1), splits=10)
    torch.manual_seed(SEED)  # torchmetrics draws from the global generator, first of the real rows, then of the fakes
    own = []
    for _ in range(SUBSETS):
        b, a = (rows[torch.randperm(len(rows))[:SUBSET_SIZE]] for rows in (real, fake))
        own.append(mmd(a, b))
    torch.manual_seed(SEED)
    shuffled = logits[torch.randperm(len(logits))]
    return {
        "fd": frechet(fake, real),
        "kid": blocks.mean,
        "kid_deviation": blocks.deviation,
        "kid_own_subsets": float(np.mean(own)),
        "kid_own_subsets_deviation": float(np.std(own)),
        **precision_recall(fake, real)._asdict(),
        **density_coverage(fake, real)._asdict(),
        "inception_score": score.mean,
        "inception_score_deviation": score.deviation,
        "inception_score_own_order": inception_score(shuffled.softmax(1), splits=10).mean,
    }


def compared(name: str, fake: Tensor, real: Tensor, logits: Tensor, folder: Path) -> dict:
    """Ours and theirs on one set of features, and the relative differences."""
    for part, rows in (("fake", fake), ("real", real), ("logits", logits)):
        np.save(folder / f"{part}.npy", rows.detach().numpy())
    theirs = judging.ask("equal", folder)
    known = ours(fake, real, logits)
    apart = {
        peer: {what: abs(known[what] - value) / max(abs(value), 1e-300) for what, value in found.items()}
        for peer, found in theirs.items()
    }
    worst = max(value for found in apart.values() for value in found.values())
    print(f"{name}: the farthest is {worst:.1e}", flush=True)
    shape = {"fake": list(fake.shape), "real": list(real.shape)}
    return {"set": name, **shape, "worst": worst, "relative": apart, "ours": known, "theirs": theirs}


def closed(d: int, rank: int, least: float) -> dict:
    """Two Gaussians whose optimal map W is known, so their distance is tr((W - 1) A (W - 1)) + |shift|²."""
    frame, turn = (torch.linalg.qr(normal(size, size, seed=7)).Q for size in (d, rank))
    inner = turn * torch.logspace(0, float(np.log10(least)), rank, dtype=torch.float64) @ turn.T
    mix = torch.linalg.qr(normal(rank, rank, seed=8)).Q
    w = mix * torch.linspace(0.5, 1.5, rank, dtype=torch.float64) @ mix.T
    shift = 0.01 * normal(d, seed=9)
    step = w - torch.eye(rank, dtype=torch.float64)
    true = float((step @ inner @ step).trace() + shift.square().sum())
    a, b = (frame[:, :rank] @ each @ frame[:, :rank].T for each in (inner, w @ inner @ w))
    found = frechet_from(torch.zeros(d, dtype=torch.float64), a, shift, b)
    return {"dimensions": d, "rank": rank, "least_variance": least, "relative": abs(found - true) / true}


def main() -> None:
    given = running.parser(__doc__).parse_args()
    torch.set_num_threads(given.threads)
    judging.make()
    quick = given.quick
    d, few, many = (512, (250, 320), (1000, 750)) if quick else (2048, (1000, 1280), (4000, 3000))
    made = {
        "gaussians, fewer rows than dimensions": lambda: gaussians(*few, d),
        "gaussians, more rows than dimensions": lambda: gaussians(*many, d),
        "heavy tails": lambda: heavy(400, 500, 64) if quick else heavy(3000, 2500, 256),
    }
    if not quick:
        made = {"digits, noisy against real": lambda: digits(5000), **made}
    rows = []
    for name, make in made.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(compared(name, *make(), Path(folder)))
    sizes = [(64, 64, 1e-3), (64, 20, 1e-3)] if quick else [(512, 512, 1e-4), (512, 100, 1e-4), (2048, 2048, 1e-6)]
    gauss = [closed(*size) for size in sizes]
    print(json.dumps(gauss, indent=1))
    result = {
        "wanted": {"relative": WANTED, "closed_forms": WANTED_CLOSED},
        "worst": {"relative": max(row["worst"] for row in rows), "closed_forms": max(g["relative"] for g in gauss)},
        "closed_forms": gauss,
        "rows": rows,
        "peers": judging.ask("versions"),
        "protocol": {
            "features": "float64 on both sides, saved as .npy",
            "kid": f"{SUBSETS} subsets of {SUBSET_SIZE} of either set; `kid` drawn as torch-fidelity draws them, "
            "`kid_own_subsets` as torchmetrics does",
            "inception_score": "softmax of logits, 10 equal splits in the rows' order; `own_order`: torchmetrics' "
            "shuffle (it cuts counts that 10 doesn't divide otherwise than the others)",
        },
    }
    if not quick:
        write_result("judge_equal", result)


if __name__ == "__main__":
    main()
