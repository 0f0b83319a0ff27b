"""The Watch: reads a model's training from outside, and never takes part in it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pellucid.capture.call import unwrapped
from pellucid.errors import OptionError, StorageError
from pellucid.record import schema
from pellucid.record.reader import Record
from pellucid.record.training import TrainingWriter
from pellucid.record.writer import Writer
from pellucid.watch.cadence import Cadence
from pellucid.watch.findings import training_findings, training_panel
from pellucid.watch.journal import Journal, Norms
from pellucid.watch.layers import watched
from pellucid.watch.readings import SAMPLE, Counted, norms, sampled

# Together with flushing and the hooks themselves well under 3% of the training's time.
_NORMS_SHARE = 0.008
_HISTOGRAMS_SHARE = 0.007


def watch(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    out: str | Path,
    every: int | None = None,
    histograms_every: int | None = None,
    title: str | None = None,
    exact: bool = False,
    overwrite: bool = False,
) -> Watch:
    """Keeps what a model's training looks like from inside: gradients, updates, weights, activations, loss.

        with pellucid.watch(model, optimizer, out="run.pellucid") as w:
            ...                                     # the training loop, as it is
            w.observe(outputs, targets, loss)

    Training goes exactly as it would without. `pellucid open run.pellucid` follows it live.

    Args:
        model: the module that is trained; wrappers of torch.compile and DataParallel are looked through.
        optimizer: any optimizer of torch; gradients are read when it steps, without a scaler's factor.
        out: folder of the record.
        every: look at the norms of layers at every so many steps; None: as often as 0.8% of the time allows.
        histograms_every: the same for histograms.
        title: of the record; the model's class where None.
        exact: count every value in histograms and updates, not a sample of 16,384 values of each tensor.
        overwrite: replace a record that is there.

    Returns: the Watch, to be entered with `with`.
    Raises: OptionError: a cadence below 1, or an optimizer of another model.
    """
    return Watch(
        model,
        optimizer,
        out=out,
        every=every,
        histograms_every=histograms_every,
        title=title,
        exact=exact,
        overwrite=overwrite,
    )


class Watch:
    """One training under observation, from `with` to the end of its block; see `watch`.

    Attributes:
        step: steps that the optimizer has taken so far.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        out: str | Path,
        every: int | None = None,
        histograms_every: int | None = None,
        title: str | None = None,
        exact: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Checks the options; nothing is written yet. Args and Raises: see `watch`."""
        for name, value in (("every", every), ("histograms_every", histograms_every)):
            if value is not None and value < 1:
                raise OptionError(f"'{name}' is a number of steps of at least 1, or None; got {value!r}.")
        self.step = 0
        self._model = unwrapped(model)
        self._optimizer = optimizer
        self._watched = watched(model, optimizer)
        self._out = Path(out)
        self._title = title or type(self._model).__name__
        self._limit = None if exact else SAMPLE
        self._overwrite = overwrite
        self._norms = Cadence(every, _NORMS_SHARE)
        self._histograms = Cadence(histograms_every, _HISTOGRAMS_SHARE)
        self._options: dict[str, Any] = {"every": every, "histograms_every": histograms_every, "exact": exact}
        self._writer: Writer | None = None
        self._handles: list[Any] = []
        self._taps: list[Any] = []
        self._old: list[Tensor] = []
        self._moving: list[int] = []
        self._warned = False
        self._clear()

    def __enter__(self) -> Self:
        manifest = schema.Manifest(
            title=self._title,
            watched=True,
            options=self._options,
            device=str(self._watched.parameters[0].device),
            versions={"torch": str(torch.__version__)},
        )
        self._writer = Writer.create(self._out, manifest, overwrite=self._overwrite)
        self._journal = Journal(self._watched, TrainingWriter(self._writer), time.perf_counter())
        self._handles = [
            self._optimizer.register_step_pre_hook(self._before_step),
            self._optimizer.register_step_post_hook(self._after_step),
        ]
        self._warm_up()
        self._decide()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()
        assert self._writer is not None  # noqa: S101 - for mypy: entered before left
        state: schema.State = (
            "complete" if error is None else "failed" if isinstance(error, Exception) else "interrupted"
        )
        words = None if error is None else f"{type(error).__name__}: {error}".removesuffix(": ")
        try:
            self._journal.flush()
            table, _ = Record(self._out).training()
            panel = training_panel(table, self.step, self._watched.names)
            panel.findings.extend(training_findings(table))
            self._writer.write_panel(panel)
            self._writer.finish(state, words)
        except StorageError as full:
            self._writer.close()
            if error is None:
                raise
            error.add_note(str(full))

    # --- what the training loop tells -------------------------------------------------------------------------

    def log(self, **values: float | Tensor) -> None:
        """Notes numbers of the whole model at this step: `loss`, `accuracy`, `validation_loss`, ... or your own.

        Several values of one name at the same step are averaged. Nothing waits for a GPU.

        Raises: OptionError: not a single number.
        """
        for name, value in values.items():
            if isinstance(value, Tensor):
                if value.numel() != 1:
                    raise OptionError(
                        f"log({name}=...) takes one number; got a tensor of shape {tuple(value.shape)}. Pass its mean."
                    )
                # A copy: the loop may add to its loss in place.
                self._scalars.setdefault(name, []).append(value.detach().clone())
            elif isinstance(value, int | float | np.number):
                self._scalars.setdefault(name, []).append(float(value))
            else:
                raise OptionError(f"log({name}=...) takes one number; got {type(value).__name__} {value!r}.")

    def observe(self, outputs: Tensor, targets: Tensor, loss: Tensor | float) -> None:
        """Notes a batch's loss, and its accuracy where outputs are float[batch class] and targets int[batch].

        From step 20,000 on only every second one, then every third, so that the record stays small.
        """
        if self.step % max(1, self.step // 10_000):
            return
        if isinstance(loss, Tensor) and loss.numel() != 1:
            loss = loss.detach().mean()
        self.log(loss=loss)
        if outputs.ndim == 2 and targets.shape == outputs.shape[:1] and not targets.is_floating_point():
            self.log(accuracy=(outputs.detach().argmax(dim=1) == targets).float().mean())

    # --- at each step -----------------------------------------------------------------------------------------

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Before the optimizer changes the weights: gradients are whole, weights are old."""
        if not (self._look or self._count):
            return None
        start = time.perf_counter()
        if self._look:
            # Frozen parameters are often handed to the optimizer all the same: that they stay is no finding.
            self._moving = [
                index
                for index, parameter in enumerate(self._watched.parameters)
                if self._watched.updated[index] and parameter.requires_grad
            ]
            self._old = self._samples(self._moving, copy=True)
        # torch hands the arguments of the unbound method: the optimizer itself comes first.
        own, rest = (args[:1], args[1:]) if args and args[0] is optimizer else ((), args)
        closure = rest[0] if rest else kwargs.get("closure")
        answer = None
        if closure is None:
            self._read_gradients()
        else:
            # Gradients are made inside the step; those of its first evaluation are the ones at the old weights.
            reading = partial(self._evaluated, closure)
            answer = ((*own, reading, *rest[1:]), kwargs) if rest else (args, {**kwargs, "closure": reading})
        self._spent += time.perf_counter() - start
        return answer

    def _evaluated(self, closure: Callable[[], Any]) -> Any:
        loss = closure()
        if not self._gradients_read:
            start = time.perf_counter()
            self._read_gradients()
            self._spent += time.perf_counter() - start
        return loss

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """After it: what is left to read, and whether to look at the next step."""
        self._keep_scalars()
        self.step += 1
        if self._look or self._count:
            self._remove_taps()
            start = time.perf_counter()
            seconds = start - self._journal.began
            if self._look:
                self._read_weights(seconds)
                self._norms.spent(self._spent + time.perf_counter() - start)
            if self._count:
                begin = time.perf_counter()
                self._count_weights(seconds)
                self._histograms.spent(self._counting + time.perf_counter() - begin)
        if self._journal.due(time.perf_counter()):
            self._flush()
        self._clear()
        self._decide()

    def _flush(self) -> None:
        """Writes what waits. A disk that refuses does not end a training: it is tried again, and at the end."""
        try:
            self._journal.flush()
        except StorageError as full:
            if not self._warned:
                warnings.warn(f"The Watch cannot write and keeps its rows in memory: {full}", stacklevel=4)
                self._warned = True

    def _warm_up(self) -> None:
        """Does everything once, so that the first look does not seem dearer than it is."""
        norms(self._samples(range(len(self._watched.parameters))))
        for parameter in self._watched.parameters[:2]:
            Counted().add(parameter, SAMPLE)
        self._journal.warm_up()

    def _clear(self) -> None:
        self._look = self._count = self._gradients_read = False
        self._spent = self._counting = 0.0
        self._old = []
        self._moving = []
        self._values: dict[str, Tensor] = {}
        self._indices: dict[str, list[int]] = {}
        self._counts: dict[tuple[str, str], Counted] = {}
        self._scalars: dict[str, list[float | Tensor]] = {}

    def _decide(self) -> None:
        """Whether the step that begins now is looked at; if so, outputs of layers are counted in its forward."""
        now = time.perf_counter()
        self._look = self._norms.due(self.step + 1, now)
        self._count = self._histograms.due(self.step + 1, now)
        if self._count:
            self._taps = [
                module.register_forward_hook(partial(self._tap, name)) for name, module in self._watched.outputs.items()
            ]

    def _keep_scalars(self) -> None:
        seconds = time.perf_counter() - self._journal.began
        for name, values in self._scalars.items():
            self._journal.scalars.append((self.step, seconds, name, values))
        self._scalars = {}

    # --- reading ----------------------------------------------------------------------------------------------

    def _tap(self, layer: str, module: nn.Module, inputs: object, output: Any) -> None:
        # A compiler that looks in here sees nothing; a forward without gradients is none of the training's.
        if torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        start = time.perf_counter()
        tensor = (
            output if isinstance(output, Tensor) else next(iter(output), None) if isinstance(output, tuple) else None
        )
        if isinstance(tensor, Tensor):
            self._counted(layer, "activation_histogram").add(tensor, self._limit)
        self._counting += time.perf_counter() - start

    def _read_gradients(self) -> None:
        self._gradients_read = True
        indices = [index for index, parameter in enumerate(self._watched.parameters) if parameter.grad is not None]
        gradients = [self._watched.parameters[index].grad for index in indices]
        present = [gradient for gradient in gradients if gradient is not None]
        # A fused optimizer is handed the scaler's factor and divides by it itself.
        factor = getattr(self._optimizer, "grad_scale", None)
        scale = None if factor is None else 1 / factor.detach().to(torch.float32)
        if self._look and present:
            values = norms(present)
            self._values["gradient"] = values if scale is None else values * scale.to(values.device)
            self._indices["gradient"] = indices
        if self._count:
            start = time.perf_counter()
            for index, gradient in zip(indices, present, strict=True):
                self._counted(self._watched.layers[index], "gradient_histogram").add(gradient, self._limit, scale)
            took = time.perf_counter() - start
            self._counting += took
            self._spent -= took

    def _read_weights(self, seconds: float) -> None:
        everything = list(range(len(self._watched.parameters)))
        self._values["weight"] = norms(self._watched.parameters)
        self._indices["weight"] = everything
        moving = self._moving
        now = self._samples(moving)
        sizes = np.array([parameter.numel() for parameter in self._watched.parameters], np.float64)
        shares = np.ones(len(everything))
        shares[moving] = sizes[moving] / np.maximum(1, [len(sample) for sample in now])
        self._values["before"] = norms(self._old)
        self._values["update"] = norms([new - old for new, old in zip(now, self._old, strict=True)])
        self._indices["before"] = self._indices["update"] = moving
        self._journal.scalars.append((self.step, seconds, "learning_rate", [self._optimizer.param_groups[0]["lr"]]))
        self._journal.norms.append(Norms(self.step, seconds, self._values, self._indices, shares))

    def _samples(self, indices: Iterable[int], *, copy: bool = False) -> list[Tensor]:
        """Values of some parameters, to be compared before and after the optimizer's step."""
        found = [sampled(self._watched.parameters[index], self._limit) for index in indices]
        return [sample.clone() for sample in found] if copy else found

    def _count_weights(self, seconds: float) -> None:
        for layer, parameter in zip(self._watched.layers, self._watched.parameters, strict=True):
            self._counted(layer, "weight_histogram").add(parameter, self._limit)
        for (layer, quantity), counted in self._counts.items():
            self._journal.add_histogram(self.step, seconds, layer, quantity, counted)

    def _counted(self, layer: str, quantity: str) -> Counted:
        return self._counts.setdefault((layer, quantity), Counted())

    # --- the end ----------------------------------------------------------------------------------------------

    def _remove_taps(self) -> None:
        for handle in self._taps:
            handle.remove()
        self._taps = []

    def _let_go(self) -> None:
        """Leaves model and optimizer as they were; what was logged after the last step is kept."""
        self._keep_scalars()
        self._remove_taps()
        for handle in self._handles:
            handle.remove()
        self._handles = []
