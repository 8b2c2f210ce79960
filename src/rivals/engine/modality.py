"""Modalities: all that the engine needs to know of one kind of data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from .terms import Measure
from .types import Sample


class Modality(Protocol):
    """A frozen dataclass of plain values learned from the data: it travels inside every saved model."""

    suffix: ClassVar[str]
    generators: ClassVar[Mapping[str, Callable[..., nn.Module]]]
    critics: ClassVar[Mapping[str, Callable[..., nn.Module]]]
    terms: ClassVar[Mapping[str, Measure | type[nn.Module]]]

    def common(self) -> Mapping[str, Any]:
        """What every network of this modality is told: the shape of a sample, the number of classes."""
        ...

    def show(self, raw: Any) -> Sample:
        """Turn the generator's output into what the critic sees (relax logits to near one-hots)."""
        ...

    def operations(self, names: Sequence[str]) -> tuple[str, ...]:
        """The augmenting operations that these names, or names of groups, stand for."""
        ...

    def augment(self, sample: Sample, operations: Sequence[str], strength: Tensor) -> Sample:
        """Put each sample through each operation with probability `strength`; twice differentiable."""
        ...

    def condition(self, wish: str | None, count: int) -> Tensor | None:
        """Turn what a person asks for (a class, `column=value`) into conditions; None asks for the data's own mix."""
        ...

    def render(self, sample: Sample) -> Iterator[bytes]:
        """Encode samples as files with `suffix`, one by one."""
        ...
