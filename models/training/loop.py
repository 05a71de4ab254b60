"""What every trainer shares: schedule, weight average, checkpoints that resume, curves and progress."""

import importlib.util
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from unmask.models.errors import TrainingFailed


def training_device() -> torch.device:
    """CUDA where it is usable, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(net: nn.Module) -> torch.device:
    """Where a network's parameters lie."""
    return next(net.parameters()).device


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 with `bf16`, nothing with `fp32`; losses stay in float32 outside of it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict as files hold it."""
    return {key: value.cpu() for key, value in state.items()}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate over `steps`: linear warm-up (at most half of them), then cosine down to `floor` of `peak`."""

    steps: int
    peak: float
    warmup: int = 50
    floor: float = 0.02

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        warmup = min(self.warmup, max(1, self.steps // 2))
        if step < warmup:
            return self.peak * (step + 1) / warmup
        progress = (step - warmup) / max(1, self.steps - warmup)
        cosine = 0.5 * (1 + math.cos(progress * math.pi))
        return self.peak * (self.floor + (1 - self.floor) * cosine)


class WeightAverage:
    """Exponential moving average of a network's parameters and buffers."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Move towards the network; early steps average over a shorter past."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


@dataclass
class Run:
    """One training run: a folder with `checkpoint.pt`, `curve.json` and `curve.png`.

    `step_loss` does one optimiser step on one batch and returns named losses. `others` are further networks and
    optimisers that a run needs to go on.
    """

    folder: Path
    net: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    average: WeightAverage
    others: dict[str, nn.Module | torch.optim.Optimizer] = field(default_factory=dict)
    save_every_s: float = 120.0
    curve: list[dict[str, float]] = field(default_factory=list)
    step: int = 0

    def resume(self) -> bool:
        """Continue from the folder's checkpoint, if there is one; call it once the network is on its device."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(saved["net"])
        device = device_of(self.net)
        self.average.state = {key: value.to(device) for key, value in saved["average"].items()}
        self.optimizer.load_state_dict(saved["optimizer"])
        for name, other in self.others.items():
            if name in saved.get("others", {}):
                other.load_state_dict(saved["others"][name])
        self.step, self.curve = saved["step"], saved["curve"]
        return True

    def save(self) -> None:
        """Write the checkpoint so that a cut-off never leaves half a file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = {
            "net": self.net.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
            "others": {name: other.state_dict() for name, other in self.others.items()},
            "step": self.step,
            "curve": self.curve,
        }
        torch.save(saved, self.folder / "checkpoint.tmp")
        os.replace(self.folder / "checkpoint.tmp", self.folder / "checkpoint.pt")
        (self.folder / "curve.json").write_text(json.dumps(self.curve, indent=1))

    def train(
        self,
        batches: Iterator[Any],
        step_loss: Callable[[Any], dict[str, float]],
        validate: Callable[[dict[str, Tensor]], dict[str, float]],
        validate_every: int,
    ) -> None:
        """Run to the end of the schedule; `validate` gets the averaged weights.

        Raises:
            TrainingFailed: the loss is no finite number; the checkpoint stays as it was saved before.
        """
        with _progress() as progress:
            task = progress.add_task(self.folder.name, total=self.schedule.steps, completed=self.step)
            saved_s = time.monotonic()
            losses: list[dict[str, float]] = []
            while self.step < self.schedule.steps:
                losses.append(self._take_step(next(batches), step_loss))
                progress.update(task, completed=self.step)
                if self.step % validate_every == 0 or self.step == self.schedule.steps:
                    self.curve.append({"step": self.step, **_means(losses), **validate(self.average.state)})
                    losses = []
                    progress.console.print(_line(self.curve[-1]))
                    self.save()
                    plot_curve(self.curve, self.folder / "curve.png")
                elif time.monotonic() - saved_s > self.save_every_s:
                    self.save()
                    saved_s = time.monotonic()

    def _take_step(self, batch: Any, step_loss: Callable[[Any], dict[str, float]]) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step) * group.get("scale", 1.0)
        losses = step_loss(batch)
        if not all(map(math.isfinite, losses.values())):
            raise TrainingFailed(f"the loss of {self.folder.name} is no number any more (step {self.step})")
        self.step += 1
        self.average.update(self.net, self.step)
        return losses


def _means(losses: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in losses) / len(losses) for name in losses[-1]}


def _line(row: dict[str, float]) -> str:
    return "  ".join(f"{k} {v:.4g}" for k, v in row.items())


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def plot_curve(curve: list[dict[str, float]], path: Path) -> None:
    """One panel per figure, over the steps; nothing where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = [k for k in curve[-1] if k != "step"]
    figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 2.8), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot([row["step"] for row in curve], [row.get(name, float("nan")) for row in curve], marker=".")
        axis.set_title(name, fontsize=9)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
