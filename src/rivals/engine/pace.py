"""How the two sides take turns."""

from dataclasses import dataclass, field

from .schedule import Curve


@dataclass(frozen=True)
class Pace:
    """How the two sides take turns, in plain values.

    Args:
        critic_steps: critic updates for one generator update.
        micro_batch: take a batch in pieces of at most this size (less memory, same gradients up to rounding, except
            through batch norm and losses that couple a batch).
        clip: largest norm of a side's gradient; None for no limit.
        anneal: factor on both learning rates over progress.
        average_half_life: of the generator's running average, in real samples seen; 0 keeps no memory.
        average_ramp: the half-life is at most this share of the samples seen so far (Karras et al., 2020).
        beta2: of Adam over progress; None leaves it where it began.
        clip_weights: largest absolute value of a weight of the critic (Arjovsky et al., 2017); None for no limit.
        share_fakes: the generator learns from the batch and fakes of the critic's last turn, instead of making others:
            the generator is as it was, so nothing but the noise is the same.
    """

    critic_steps: int = 1
    micro_batch: int | None = None
    clip: float | None = None
    anneal: Curve = field(default_factory=lambda: Curve(1.0))
    average_half_life: Curve = field(default_factory=lambda: Curve(10_000.0))
    average_ramp: float = 0.05
    beta2: Curve | None = None
    clip_weights: float | None = None
    share_fakes: bool = True

    @property
    def shares(self) -> bool:
        """Whether the generator learns from the critic's last fakes: not if a batch is taken in pieces."""
        return self.share_fakes and self.micro_batch is None

    @property
    def batches(self) -> int:
        """Batches that a round takes."""
        return self.critic_steps + (not self.shares)
