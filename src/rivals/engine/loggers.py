"""Where a run's numbers and pictures go beside its own `log.jsonl`: TensorBoard, MLflow, Weights & Biases."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .errors import RequestError
from .names import named


class Logger(Protocol):
    """Takes numbers and pictures as a run goes."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Some numbers of a step, by name."""

    def picture(self, step: int, name: str, png: bytes) -> None:
        """A picture of a step."""

    def close(self) -> None:
        """Write what is left."""


class TensorBoard:
    """Event files that `tensorboard --logdir` shows; writing them needs no TensorBoard."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, object]) -> None:
        del name, settings
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Some numbers of a step, by name."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """A picture of a step."""
        import io

        import numpy as np
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            self.writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self.writer.close()


class MLflow:
    """MLflow; offline in `mlflow.db` beside the run's folder unless MLFLOW_TRACKING_URI says otherwise."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, object]) -> None:
        import mlflow

        place = folder.parent.absolute()
        if "MLFLOW_TRACKING_URI" not in os.environ:
            mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
            if mlflow.get_experiment_by_name("rivals") is None:
                mlflow.create_experiment("rivals", artifact_location=(place / "mlflow").as_uri())
        mlflow.set_experiment("rivals")
        self.mlflow = mlflow
        mlflow.start_run(run_name=name)
        mlflow.log_params({key: str(value)[:500] for key, value in settings.items()})

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Some numbers of a step, by name."""
        self.mlflow.log_metrics({name.replace(":", "."): value for name, value in values.items()}, step=step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """A picture of a step."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}-{step:09d}.png"
            path.write_bytes(png)
            self.mlflow.log_artifact(str(path), "samples")

    def close(self) -> None:
        """Write what is left."""
        self.mlflow.end_run()


class WeightsAndBiases:
    """Weights & Biases; offline unless WANDB_MODE says otherwise (`wandb sync` sends it later)."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, object]) -> None:
        import wandb

        mode = os.environ.get("WANDB_MODE", "offline")
        self.wandb = wandb
        self.run = wandb.init(project="rivals", name=name, dir=str(folder), mode=mode, config=dict(settings))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Some numbers of a step, by name."""
        self.run.log(dict(values), step=step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """A picture of a step."""
        import io

        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            self.run.log({name: self.wandb.Image(image.convert("RGB"))}, step=step)

    def close(self) -> None:
        """Write what is left."""
        self.run.finish()


LOGGERS: dict[str, Callable[[Path, str, Mapping[str, object]], Logger]] = {
    "mlflow": MLflow,
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
}


def open_loggers(names: Sequence[str], folder: Path, settings: Mapping[str, object]) -> list[Logger]:
    """Loggers by name.

    Raises:
        RequestError: an unknown name, or its library is not installed.
    """
    made = []
    for name in names:
        make = named(name, LOGGERS, "logger")
        try:
            made.append(make(folder, folder.name, settings))
        except ImportError as error:
            raise RequestError(f"logging to {name} needs its library ({error}): pip install 'rivals[{name}]'") from None
        except Exception as error:  # a server that does not answer, a key that is not known
            raise RequestError(
                f"logging to {name} can't begin: {error}; mend it, or leave it out of --loggers"
            ) from None
    return made


def numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """All numbers among nested values, by path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value
