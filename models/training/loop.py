"""Training: a plain loop whose every step depends on the step number, the seed and the data alone.

Batches are asked for by number, so that a run that is stopped and resumed sees what an unbroken one would.
"""

import math
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from eventdet.errors import EventdetError, InputError
from eventdet.models._layout import channels_last
from eventdet.models.checkpoint import Checkpoint, load_checkpoint, optimizer_tensors, restore, save_checkpoint
from eventdet.models.detector import Detector, DetectorOutput
from eventdet.models.loss_terms import LossTerms

from .metrics import MetricsLog
from .optimization import build_loss, build_optimizer, uses_bfloat16
from .options import TrainConfig
from .processes import Processes
from .values import Batch, BatchSource, Hooks, Score, StepReport, TrainResult

__all__ = ["train"]

CHECKPOINT = "checkpoint.safetensors"


def train(
    batches: BatchSource,
    detector: Detector,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    hooks: Hooks | None = None,
    processes: Processes | None = None,
) -> TrainResult:
    """Return the detector trained on `batches`; the one given holds the raw weights afterwards.

    Parameters
    ----------
    batches : BatchSource
        Batch by number; each step takes ``config.accumulate`` of them.
    detector : Detector
        Trained in place.
    config : TrainConfig
        How.
    folder : Path, optional
        Where checkpoint and metrics go; a checkpoint that is there is resumed from.
    hooks : Hooks, optional
        What is called meanwhile.
    processes : Processes, optional
        This one among those that train together.

    Returns
    -------
    TrainResult
        The averaged detector and how far it came.

    Raises
    ------
    InputError
        When the checkpoint to resume from is broken, or of another detector or recipe.
    EventdetError
        When the loss is no longer a number.
    """
    hooks, processes = hooks or Hooks(), processes or Processes(device=config.device)
    torch.manual_seed(config.seed)
    run = _Run(channels_last(detector.to(processes.device).train()), config, hooks, processes)
    if folder is not None:
        run.resume(folder)
    try:
        return run.to_the_end(batches)
    finally:
        run.close()


class _Run:
    """The moving parts of a run: weights, their average, the optimiser, the membranes and how far it is."""

    def __init__(self, detector: Detector, config: TrainConfig, hooks: Hooks, processes: Processes) -> None:
        self.detector, self.config, self.hooks, self.processes = detector, config, hooks, processes
        self.loss = build_loss(detector.config, config)
        self.optimizer = build_optimizer(detector, config)
        self.average = {name: value.detach().clone() for name, value in detector.state_dict().items()}
        self.membranes: list[Tensor] = []
        self.step, self.elapsed_s = 0, 0.0
        self.best: Score | None = None
        self.validations_since_best = 0
        self.folder: Path | None = None
        self.log: MetricsLog | None = None
        self.network: nn.Module = detector
        self._use_bfloat16 = uses_bfloat16(config.precision, processes.device)

    def resume(self, folder: Path) -> None:
        """Save to a folder from now on, after going on from what is saved there."""
        self.folder = folder
        path = folder / CHECKPOINT
        if path.exists():
            stored = load_checkpoint(path, device=self.processes.device)
            self._check_recipe(stored.about, path)
            self.average = restore(stored, path, self.detector, self.optimizer)
            mine = stored.tensors.get("membranes", {})
            own = {
                int(name.split("/")[1]): value
                for name, value in mine.items()
                if name.startswith(f"{self.processes.rank}/")
            }
            self.membranes = [own[number] for number in sorted(own)]
            self._read_progress(stored.about, path)
        if self.processes.is_first:
            self.log = MetricsLog(folder, after_step=self.step, tensorboard=self.config.tensorboard)

    def _check_recipe(self, about: Mapping[str, Any], path: Path) -> None:
        found, wanted = about.get("recipe", {}), dict(self.hooks.about)
        changed = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        if changed:
            name = changed[0]
            raise InputError(
                f"{path}: run of another recipe: its {name} is {found.get(name)!r}, not {wanted.get(name)!r}",
                hint="choose another output folder",
            )

    def _read_progress(self, about: Mapping[str, Any], path: Path) -> None:
        try:
            progress = about["progress"]
            self.step, self.elapsed_s = int(progress["step"]), float(progress["elapsed_s"])
            self.best = None if progress["best"] is None else Score(*progress["best"])
            self.validations_since_best = int(progress["validations_since_best"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: checkpoint does not say how far it is", hint="remove it to start anew"
            ) from error

    def to_the_end(self, batches: BatchSource) -> TrainResult:
        """Run until there is a reason not to, and save."""
        if self.processes.world_size > 1:
            # Kernels of one pixel have two layouts at once; DDP remarks on the one that it would not have chosen.
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
            self.network = DistributedDataParallel(self.detector)
        started, before_s, longest_s, loss = time.monotonic(), self.elapsed_s, 0.0, math.nan
        while not (reason := self._reason_to_stop(time.monotonic() - started + longest_s)):
            step_started = time.monotonic()
            terms = self._advance(batches)
            loss = float(terms.total)
            self.elapsed_s = before_s + time.monotonic() - started
            self._tell(terms)
            if self.step % self.config.checkpoint_every == 0:
                self.save()
            longest_s = max(longest_s, time.monotonic() - step_started)
        self.save()
        self.processes.wait()
        return TrainResult(self.averaged(), self.step, loss, reason, self.best)

    def _reason_to_stop(self, after_next_s: float) -> str:
        config = self.config
        if self.step >= config.steps:
            return "steps"
        if config.patience and self.validations_since_best >= config.patience:
            return "patience"
        asked, late = self.processes.any_of(
            self.hooks.should_stop is not None and self.hooks.should_stop(), after_next_s >= config.time_budget_s
        )
        return "request" if asked else "time budget" if late else ""

    def _advance(self, batches: BatchSource) -> LossTerms:
        """Return the losses of one step of the optimiser."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.bias_rate(self.step) if group["is_bias"] else config.rate(self.step)
            if "momentum" in group:
                group["momentum"] = config.momentum_of(self.step)
        self.optimizer.zero_grad(set_to_none=True)
        parts = []
        for micro in range(config.accumulate):
            is_last = micro == config.accumulate - 1
            parts.append(self._learn(batches(self.step * config.accumulate + micro), synchronise=is_last))
        terms = self.processes.mean_of(torch.stack(parts).sum(0)) * self.processes.world_size
        # After clipping alone could a gradient that is no number look like one that is.
        norm = nn.utils.clip_grad_norm_(self.detector.parameters(), config.clip_norm)
        if not (torch.isfinite(terms[0]) and torch.isfinite(norm)):
            what = "loss" if not torch.isfinite(terms[0]) else "gradient"
            raise EventdetError(
                f"the {what} is no longer a number in step {self.step + 1}",
                hint="lower the learning rate, or look for labels without area; the last checkpoint is sound",
            )
        self.optimizer.step()
        self.step += 1
        self._average()
        return LossTerms(*terms)

    def _learn(self, batch: Batch, *, synchronise: bool) -> Tensor:
        """Add the gradients of one batch, and return its losses, shape (4,)."""
        counts, targets = batch.counts.to(self.processes.device, non_blocking=True), batch.targets
        state = self._membranes_before(batch)
        if isinstance(self.network, DistributedDataParallel):
            self.network.require_backward_grad_sync = synchronise
        with torch.autocast(torch.device(self.processes.device).type, torch.bfloat16, enabled=self._use_bfloat16):
            output = cast(DetectorOutput, self.network(counts, state, readout=self.config.readout))
        if batch.is_first is not None:
            self.membranes = [membrane.detach() for membrane in output.state]
        terms = self.loss(output.logits, targets.last_step() if self.config.readout == "mean" else targets)
        # Summed over processes, as over accumulated batches: DDP divides.
        (terms.total * self.processes.world_size).backward()  # type: ignore[no-untyped-call] # torch is untyped here
        return torch.stack([term.detach() for term in terms])

    def _membranes_before(self, batch: Batch) -> list[Tensor] | None:
        if batch.is_first is None or not self.membranes:
            return None
        keeps = ~batch.is_first.to(self.processes.device)
        return [torch.where(keeps.view(-1, *[1] * (each.ndim - 1)), each, 0) for each in self.membranes]

    @torch.no_grad()
    def _average(self) -> None:
        # A young average follows closely: early weights are not worth remembering.
        decay = self.config.ema_decay * (1 - math.exp(-self.step * (1 - self.config.ema_decay)))
        for name, value in self.detector.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def averaged(self) -> Detector:
        """Return a detector with the averaged weights."""
        detector = Detector(self.detector.config).to(self.processes.device)
        detector.load_state_dict(self.average)
        return detector.eval()

    def _tell(self, terms: LossTerms) -> None:
        """Log, validate and report, as the step asks for."""
        is_end = self.step == self.config.steps
        if self.log is not None and (is_end or self.step % self.config.log_every == 0):
            values = {name: round(float(value), 6) for name, value in terms._asdict().items()}
            rate = self.config.rate(self.step - 1)
            self.log.write({"step": self.step, **values, "rate": rate, "elapsed_s": round(self.elapsed_s, 3)})
        score = None
        if self.hooks.validate is not None and (is_end or self.step % self.config.validate_every == 0):
            score = self._validated()
        if self.processes.is_first and self.hooks.watch is not None:
            self.hooks.watch(StepReport(self.step, terms, score))

    def _validated(self) -> Score:
        """Return the score of the averaged weights, the same in every process."""
        values = torch.zeros(2, dtype=torch.float64, device=self.processes.device)
        averaged = self.averaged()
        if self.processes.is_first and self.hooks.validate is not None:
            values += torch.tensor(self.hooks.validate(averaged), dtype=torch.float64, device=values.device)
        score = Score(*(self.processes.mean_of(values) * self.processes.world_size).tolist())
        if self.log is not None:
            self.log.write({"step": self.step, "mAP50": round(score.map50, 6), "mAP50_95": round(score.map50_95, 6)})
        self.validations_since_best += 1
        if self.best is None or score.map50_95 > self.best.map50_95:
            self.best, self.validations_since_best = score, 0
            if self.processes.is_first and self.hooks.keep_best is not None:
                self.hooks.keep_best(averaged, self.step, score)
        return score

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.folder is None:
            return
        membranes = self.processes.gathered(self.membranes)
        if not self.processes.is_first:
            return
        tensors = {
            "detector": self.detector.state_dict(),
            "average": self.average,
            "optimizer": optimizer_tensors(self.optimizer),
            "membranes": {
                f"{rank}/{number}": membrane
                for rank, members in enumerate(membranes)
                for number, membrane in enumerate(members)
            },
        }
        progress = {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "best": self.best,
            "validations_since_best": self.validations_since_best,
        }
        about = {"config": self.detector.config.to_dict(), "recipe": dict(self.hooks.about), "progress": progress}
        save_checkpoint(self.folder / CHECKPOINT, Checkpoint(tensors, about))

    def close(self) -> None:
        """Close the metrics."""
        if self.log is not None:
            self.log.close()
