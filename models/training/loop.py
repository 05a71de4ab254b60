"""What every trainer shares: schedule, weight average, checkpoints that resume, curves and progress."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate over `steps`: linear warm-up, then cosine down to `floor` of `peak`."""

    steps: int
    peak: float
    warmup: int = 50
    floor: float = 0.02

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        cosine = 0.5 * (1 + torch.cos(torch.tensor(progress * torch.pi)).item())
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

    `step_loss` does one optimiser step on one batch and returns named losses.
    """

    folder: Path
    net: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    average: WeightAverage
    save_every_s: float = 120.0
    curve: list[dict[str, float]] = field(default_factory=list)
    step: int = 0

    def resume(self) -> bool:
        """Continue from the folder's checkpoint, if there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.net.load_state_dict(saved["net"])
        self.average.state = saved["average"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.curve = saved["step"], saved["curve"]
        return True

    def save(self) -> None:
        """Write the checkpoint so that a cut-off never leaves half a file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = {
            "net": self.net.state_dict(),
            "average": self.average.state,
            "optimizer": self.optimizer.state_dict(),
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
        """Run to the end of the schedule; `validate` gets the averaged weights."""
        saved_s = time.monotonic()
        sums: dict[str, float] = {}
        summed = 0
        with _progress() as progress:
            task = progress.add_task(self.folder.name, total=self.schedule.steps, completed=self.step)
            for batch in batches:
                if self.step >= self.schedule.steps:
                    break
                for group in self.optimizer.param_groups:
                    group["lr"] = self.schedule.rate(self.step) * group.get("scale", 1.0)
                for name, value in step_loss(batch).items():
                    sums[name] = sums.get(name, 0.0) + value
                self.step += 1
                summed += 1
                self.average.update(self.net, self.step)
                if self.step % validate_every == 0 or self.step == self.schedule.steps:
                    means = {k: v / summed for k, v in sums.items()}
                    self.curve.append({"step": self.step, **means, **validate(self.average.state)})
                    sums, summed = {}, 0
                    progress.console.print(_line(self.curve[-1]))
                    self.save()
                    plot_curve(self.curve, self.folder / "curve.png")
                elif time.monotonic() - saved_s > self.save_every_s:
                    self.save()
                    saved_s = time.monotonic()
                progress.update(task, completed=self.step)


def _line(row: dict[str, float]) -> str:
    return "  ".join(f"{k} {v:.4g}" for k, v in row.items())


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def plot_curve(curve: list[dict[str, float]], path: Path) -> None:
    """One panel per figure, over the steps."""
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
