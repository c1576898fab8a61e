"""The Trainer's link to the run folder: it writes state, figures and sample programs, and reads the stop flag."""

from __future__ import annotations

import json
import logging
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cadrecode.config import TrainConfig
from cadrecode.data.batches import Views
from cadrecode.data.views import true_solid
from cadrecode.errors import Message, ProgramError, RunError
from cadrecode.model.adapters import PeftModel
from cadrecode.model.decode import draw
from cadrecode.model.team import Team
from cadrecode.program import build, iou, mesh_of, parse
from cadrecode.program.solid import Manifold
from cadrecode.runs import RESUMABLE, SEAL, Run, State
from cadrecode.training.card import gain_over
from cadrecode.training.trainer import SCORE

log = logging.getLogger(__name__)

FEWEST_STEPS = 2  # before the time left is estimated
STATUS_SECONDS = 0.5  # between rewrites of status.json
KEPT_SAMPLES = 3
IOUS_FILE = "ious.json"  # of all sample parts of an evaluation
EXPLODED, EXPLODED_BY, EXPLODED_TIMES = 2.0, 2.0, 3  # diverged: above 2 x the lowest loss + 2, three logs in a row
LOSS_SHARE = 1e-4  # of the validation loss, taken off the mean IoU
MORE_TOKENS = 1.25  # a sample is cut at this multiple of the longest training program


class RunFolder(TrainerCallback):
    """Writes status.json, metrics.jsonl and samples/, merges at checkpoints, and looks for the stop flag.

    Args:
        merge: merges the adapter in a checkpoint's folder.
        held_views: clouds for which programs are written at each evaluation; None where there are none.
        longest: tokens of the longest training program.
        team: the processes that train together.
    """

    def __init__(
        self,
        run: Run,
        config: TrainConfig,
        merge: Callable[[Path], Path],
        tokenizer: PreTrainedTokenizerBase,
        held_views: Views | None,
        longest: int,
        team: Team,
    ):
        self.run, self.config, self.merge, self.tokenizer = run, config, merge, tokenizer
        self.held_views, self.longest, self.team = held_views, longest, team
        self.stopped = False
        self.first_step = 0
        self.pairs_per_step = config.per_device_train_batch_size * config.gradient_accumulation_steps * team.size
        self.started = self.last_status = self.last_log = time.monotonic()
        self.logged_step = 0
        self.lowest, self.exploded = math.inf, 0
        self.paused = 0.0  # seconds of evaluating, saving and merging since the last log: not in the speed
        self.pauses = 0.0  # and all of them so far
        self.evaluations: list[float] = []  # the seconds of each

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.first_step = self.logged_step = state.global_step
        self.started = self.last_log = time.monotonic()
        self._set_status(State.EVALUATING if args.eval_on_start else State.TRAINING, state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        [stop] = self.team.agree(self.run.stop_requested())  # all processes must end at the same step
        if stop and state.global_step < state.max_steps:
            self.stopped = True
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False
        if state.global_step == state.max_steps and self.held_views and not self.stopped:
            control.should_evaluate = True  # base and adapter are compared by the first and the last evaluation
        now = time.monotonic()
        if control.should_evaluate:
            self._set_status(State.EVALUATING, state)
        elif control.should_save:
            self._set_status(State.SAVING, state)
        elif now - self.last_status > STATUS_SECONDS:
            self._set_status(State.TRAINING, state)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        step, loss = state.global_step, logs["loss"]
        self._refuse_divergence(step, loss)
        now = time.monotonic()
        seconds = max(1e-9, now - self.last_log - self.paused)
        speed = (step - self.logged_step) * self.pairs_per_step / seconds
        self.last_log, self.logged_step, self.paused = now, step, 0.0
        figures = {
            "loss": loss,
            "learning_rate": logs.get("learning_rate"),
            "grad_norm": logs.get("grad_norm"),
            "samples_per_second": speed,
            "peak_memory_mb": peak_memory_mb(),
            "eta_seconds": self._eta(state),
        }
        self.run.log_metrics(step, **figures)
        log.info(
            "step %d of %d  loss %.4f  learning rate %.2e  %.1f pairs/s  %s left",
            step,
            state.max_steps,
            loss,
            logs.get("learning_rate") or 0.0,
            speed,
            _minutes(figures["eta_seconds"]),
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        metrics: dict[str, float],
        model: PeftModel,
        **kwargs: Any,
    ) -> None:
        started = time.monotonic()
        written = self._write_programs(model, state.global_step) if self.team.first else {}
        # The best checkpoint is that of the best parts; the loss, which falls while counts stay wrong, breaks ties.
        [metrics[SCORE]] = self.team.agree((written.get("mean_iou") or 0.0) - LOSS_SHARE * metrics["eval_loss"])
        if not self.team.first:
            return
        figures = {"eval_loss": metrics["eval_loss"]} | written
        self.run.log_metrics(state.global_step, **figures)
        words = "  ".join(f"{name} {value:.4f}" for name, value in figures.items() if value is not None)
        log.info("step %d evaluated  %s", state.global_step, words)
        self.evaluations.append(time.monotonic() - started + metrics.get("eval_runtime", 0.0))
        self._pause(self.evaluations[-1])
        self._set_status(State.SAVING if control.should_save else State.TRAINING, state)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if not self.team.first:
            return
        started = time.monotonic()
        folder = self.run.folder / f"checkpoint-{state.global_step}"
        at_end = state.global_step >= state.max_steps and self.config.auto_merge_final and not self.config.keep_best
        if self.config.merge_at_checkpoints and not self.stopped and not at_end:  # the end merges anyway
            self.merge(folder)
            if not self.config.keep_lora_only:
                for name in (SEAL, *RESUMABLE, "adapter_config.json", "README.md"):
                    (folder / name).unlink(missing_ok=True)
                log.info("keep_lora_only is false: %s keeps its merged model alone.", folder.name)
        self._pause(time.monotonic() - started)
        self._set_status(State.SAVING if control.should_training_stop else State.TRAINING, state)

    def _refuse_divergence(self, step: int, loss: float) -> None:
        """Raises: RunError: the loss is not finite, or several times in a row far above the lowest loss."""
        advice = Message(
            "Set learning_rate to {rate:g} (it is {now:g}) and warmup_steps to {n}; lora_r 32 with "
            "lora_alpha 64 also helps. The last checkpoint is as it was.",
            rate=min(1e-4, self.config.learning_rate / 4),
            now=self.config.learning_rate,
            n=max(2 * self.config.warmup_steps, self.config.max_steps // 25),
        )
        if not math.isfinite(loss):
            raise RunError(
                "The loss at step {step} is no number: training diverged. {advice} Prefer bf16 to fp16.",
                step=step,
                advice=advice,
            )
        self.lowest = min(self.lowest, loss)
        self.exploded = self.exploded + 1 if loss > EXPLODED * self.lowest + EXPLODED_BY else 0
        if self.exploded >= EXPLODED_TIMES:
            raise RunError(
                "The loss is {loss:.3g} at step {step}, after {lowest:.3g}: training diverged. {advice}",
                loss=loss,
                step=step,
                lowest=self.lowest,
                advice=advice,
            )

    def _set_status(self, status: State, state: TrainerState) -> None:
        self.last_status = time.monotonic()
        self.run.set_status(status, step=state.global_step, total=state.max_steps, eta_seconds=self._eta(state))

    def _pause(self, seconds: float) -> None:
        self.paused += seconds
        self.pauses += seconds

    def _eta(self, state: TrainerState) -> float | None:
        """Seconds left: of the steps, at their mean pace without pauses, and of the evaluations to come.

        None before the second step, because the first takes longer than others.
        """
        done, left = state.global_step - self.first_step, state.max_steps - state.global_step
        if done < FEWEST_STEPS:
            return None
        pace = (time.monotonic() - self.started - self.pauses) / done
        pause = statistics.mean(self.evaluations) if self.evaluations else 0.0
        return left * pace + math.ceil(left / max(1, self.config.eval_steps)) * pause

    def _write_programs(self, model: PeftModel, step: int) -> dict[str, float | None]:
        """Write programs for the first validation clouds.

        Returns: the invalid ratio, the median IoU of the valid, the mean of all, where a failure is 0, and its gain
            over the base.
        """
        count = min(self.config.eval_programs, len(self.held_views or ()))
        if count == 0 or self.team.shards:  # with a part of the base no process can write programs
            return {}
        clouds = np.stack([self.held_views[i]["point_cloud"] for i in range(count)])
        texts = draw(
            model,
            self.tokenizer,
            torch.from_numpy(clouds),
            max_new_tokens=math.ceil(self.longest * MORE_TOKENS),
            stop=self.run.stop_requested,
        )
        folder, samples, ious, all_ious = self.run.samples_folder(step), [], [], []
        for i, text in enumerate(texts):
            pair = self.held_views.encoded[i].pair
            sample: dict[str, Any] = {
                "name": pair.name,
                "program": text,
                "target": pair.text,
                "outcome": "ok",
                "iou": None,
            }
            try:
                solid = build(parse(text))
                sample["iou"] = iou(solid, true_solid(pair))
                ious.append(sample["iou"])
            except ProgramError as error:
                solid, sample["outcome"] = None, str(error)
            all_ious.append(sample["iou"] or 0.0)
            if i < KEPT_SAMPLES:
                samples.append({**sample, **_write_sample(folder, i + 1, text, pair.text, clouds[i], solid)})
        self.run.write_samples(step, samples)
        return {
            "invalid_ratio": 1 - len(ious) / count,
            "median_iou": statistics.median(ious) if ious else None,
            "mean_iou": sum(ious) / count,
        } | _gain(folder, all_ious)


def _gain(folder: Path, ious: list[float]) -> dict[str, float]:
    """The gain over the evaluation before the first step, which this or an earlier process has written."""
    (folder / IOUS_FILE).write_text(json.dumps(ious), encoding="utf-8")
    first = folder.with_name("step-000000") / IOUS_FILE
    if folder == first.parent or not first.is_file():
        return {}
    before = json.loads(first.read_text(encoding="utf-8"))
    return gain_over(before, ious) if len(before) == len(ious) else {}


def _write_sample(
    folder: Path, number: int, text: str, target: str, cloud: np.ndarray, solid: Manifold | None
) -> dict[str, str]:
    """Write a sample: the cloud (N, 3 or 6) float32 MODEL, both programs, and the mesh, CODE, of a valid program."""
    (folder / f"{number}.py").write_text(text, encoding="utf-8")
    (folder / f"{number}_target.py").write_text(target, encoding="utf-8")
    np.save(folder / f"{number}_cloud.npy", cloud[:, :3])
    files = {"cloud": f"{number}_cloud.npy"}
    if solid is not None:
        vertices, faces = mesh_of(solid)
        np.savez(folder / f"{number}_mesh.npz", vertices=vertices, faces=faces)
        files["mesh"] = f"{number}_mesh.npz"
    return files


def peak_memory_mb() -> float | None:
    """Peak memory so far: of the GPU where there is one, else of the process; None where it is not known."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    if sys.platform == "win32":
        return None
    if sys.platform == "linux":  # ru_maxrss is also that of the process which this one was forked from
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 2**10
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10  # bytes there, KB elsewhere


def _minutes(seconds: float | None) -> str:
    return "?" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
