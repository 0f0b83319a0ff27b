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
from pellucid.errors import OptionError, RecordError, StorageError
from pellucid.record import schema
from pellucid.record.training import TrainingWriter
from pellucid.record.writer import Writer
from pellucid.watch.cadence import Cadence
from pellucid.watch.journal import Journal, Norms, refuse_record, warm_up
from pellucid.watch.layers import watched
from pellucid.watch.readings import SAMPLE, Counted, local, norms, sampled
from pellucid.watch.sealing import seal
from pellucid.watch.taps import Taps
from pellucid.watch.told import OWN_NAMES, accuracy, number

# Together with flushing and the hooks themselves well under 3% of the training's time.
_NORMS_SHARE = 0.008
_HISTOGRAMS_SHARE = 0.007


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
        self._given = model
        self._optimizer = optimizer
        self._out = Path(out)
        self._title = title or type(unwrapped(model)).__name__
        self._limit = None if exact else SAMPLE
        self._overwrite = overwrite
        self._options: dict[str, Any] = {"every": every, "histograms_every": histograms_every, "exact": exact}
        self._writer: Writer | None = None
        self._ended = False
        self._begin()

    def _begin(self) -> None:
        """Nothing is recorded yet, also where this Watch had a block before."""
        self.step = 0
        self._watched = watched(self._given, self._optimizer)
        self._layers = self._watched.names
        self._others = self._watched.others(self._optimizer)
        self._norms = Cadence(self._options["every"], _NORMS_SHARE)
        self._histograms = Cadence(self._options["histograms_every"], _HISTOGRAMS_SHARE)
        self._handles: list[Any] = []
        self._taps = Taps(self._watched.outputs, self._read_output, self._missed_output)
        self._warned: set[str] = set()
        self._clear()

    def __enter__(self) -> Self:
        if self._writer is not None and not self._ended:
            raise RecordError("This Watch is entered already: it records one block at a time.")
        if not self._overwrite:
            refuse_record(self._out)
        self._begin()
        if any(local(parameter) is not parameter for parameter in self._watched.parameters):
            words = (
                "Parameters are shared among processes (DTensor): norms and histograms are of this one's part alone."
            )
            self._warn("shards", words, stacklevel=3)
        manifest = schema.Manifest(
            title=self._title,
            watched=True,
            options=self._options,
            device=str(self._watched.parameters[0].device),
            versions={"torch": str(torch.__version__)},
        )
        try:
            self._warm_up()
            # A compiler that has optimizer.step() before it leaves the hooks out of what it compiles.
            before, after = map(torch.compiler.disable, (self._before_step, self._after_step))
            self._handles.append(self._optimizer.register_step_pre_hook(before))
            self._handles.append(self._optimizer.register_step_post_hook(after))
            self._decide()
            self._writer = Writer.create(self._out, manifest, overwrite=self._overwrite)
        except BaseException:
            self._let_go()
            raise
        self._journal = Journal(TrainingWriter(self._writer), time.perf_counter())
        self._ended = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._keep_scalars()
        self._let_go()
        assert self._writer is not None  # noqa: S101 - for mypy: entered before left
        state: schema.State = (
            "complete" if error is None else "failed" if isinstance(error, Exception) else "interrupted"
        )
        words = None if error is None else f"{type(error).__name__}: {error}".removesuffix(": ")
        for told in seal(self._writer, self._journal, self.step, self._layers, state, words):
            if error is None:
                warnings.warn(told, stacklevel=2)
            else:
                error.add_note(told)

    # --- what the training loop tells -------------------------------------------------------------------------

    def log(self, **values: float | Tensor) -> None:
        """Notes numbers of the whole model at this step: `loss`, `accuracy`, `validation_loss`, ... or your own.

        Several values of one name at the same step are averaged. Nothing waits for a GPU. After the block nothing is noted,
        with one warning. A name that the Watch writes itself, as `learning_rate`, is kept as `logged_learning_rate`.

        Raises:
            OptionError: not a single number.
            RecordError: before the block.
        """
        if not self._is_open():
            return
        for name, value in values.items():
            self._scalars.setdefault(self._kept_name(name), []).append(number(name, value))

    def _kept_name(self, name: str) -> str:
        """The name that a number of the loop is recorded under."""
        if name not in OWN_NAMES or (name == "learning_rate" and self._rate() is None):
            return name
        self._warn(
            "names",
            f"The Watch records {name} itself: what is logged under that name stands as logged_{name}.",
            stacklevel=4,
        )
        return f"logged_{name}"

    def observe(self, outputs: Any, targets: Any, loss: Tensor | float) -> None:
        """Notes a batch's loss, and its accuracy where targets are int[batch] and outputs float[batch class].

        Of a single output, float[batch 1], there is one where the loss is its binary cross-entropy. Negative targets are no
        labels. From step 20,000 on only every second batch is noted, then every third, so that the record stays small.

        Args:
            outputs: a tensor, or what has one as its logits: an object with `.logits`, a dict, a tuple.
            targets: any others give no accuracy.
            loss: mean of the batch, or one an example.

        Raises: RecordError: before the block; see `log`.
        """
        if not self._is_open() or self.step % max(1, self.step // 10_000):
            return
        if isinstance(loss, Tensor) and loss.numel() != 1:
            loss = loss.detach().mean()
        self.log(loss=loss)
        right = accuracy(outputs, targets, loss)
        if right is not None:
            self.log(accuracy=right)

    def _is_open(self) -> bool:
        """Whether what the loop tells can be noted. Raises: RecordError: the block has not begun."""
        if self._writer is None:
            raise RecordError(
                "This Watch was not entered, so it records nothing. Put the training into its block: "
                "with pellucid.watch(model, optimizer, out=...) as watch: ..."
            )
        if self._ended:
            self._warn("ended", "The block of this Watch has ended: what is logged now is not recorded.", stacklevel=4)
        return not self._ended

    # --- at each step -----------------------------------------------------------------------------------------

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Before the optimizer changes the weights: gradients are whole, weights are old."""
        if not (self._look or self._count):
            return None
        start = time.perf_counter()
        self._follow()
        # Asked anew each time: a layer that is unfrozen comes with a new group.
        owned = {id(parameter) for group in self._optimizer.param_groups for parameter in group["params"]}
        self._owned = [index for index, one in enumerate(self._watched.parameters) if id(one) in owned]
        if self._look:
            # Frozen parameters are often handed to the optimizer all the same: that they stay is no finding.
            self._moving = [index for index in self._owned if self._watched.parameters[index].requires_grad]
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

    def _follow(self) -> None:
        """Watches the model's layers as they are now, where the optimizer has got other parameters."""
        others = self._watched.others(self._optimizer)
        if others == self._others:
            return
        self._others = others
        try:
            now = watched(self._given, self._optimizer)
        except OptionError as error:
            self._warn("layers", f"The Watch cannot follow the optimizer to its new parameters: {error}", stacklevel=5)
            return
        self._watched = now
        self._layers = list(dict.fromkeys([*self._layers, *now.names]))
        self._others = now.others(self._optimizer)
        self._taps.follow(now.outputs)

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
            self._taps.take_off()
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
            self._warn("full", f"The Watch cannot write and keeps its rows in memory: {full}", stacklevel=5)

    def _warn(self, topic: str, words: str, *, stacklevel: int) -> None:
        """Warns once of each topic."""
        if topic not in self._warned:
            self._warned.add(topic)
            warnings.warn(words, stacklevel=stacklevel)

    def _warm_up(self) -> None:
        """Does everything once, so that the first look does not seem dearer than it is."""
        norms(self._samples(range(len(self._watched.parameters))))
        for parameter in self._watched.parameters[:2]:
            Counted().add(parameter, SAMPLE)
        warm_up()

    def _clear(self) -> None:
        self._look = self._count = self._gradients_read = False
        self._spent = self._counting = 0.0
        self._old = []
        self._owned = []
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
            self._taps.put_on()

    def _keep_scalars(self) -> None:
        seconds = time.perf_counter() - self._journal.began
        for name, values in self._scalars.items():
            self._journal.scalars.append((self.step, seconds, name, values))
        self._scalars = {}

    # --- reading ----------------------------------------------------------------------------------------------

    def _read_output(self, layer: str, output: Tensor) -> None:
        start = time.perf_counter()
        self._counted(layer, "activation_histogram").add(output, self._limit)
        self._counting += time.perf_counter() - start

    def _missed_output(self, layer: str, error: Exception) -> None:
        words = f"The Watch cannot count the outputs of layer '{layer}': {type(error).__name__}: {error}"
        self._warn("outputs", words, stacklevel=5)

    def _read_gradients(self) -> None:
        self._gradients_read = True
        # Other parameters may keep a gradient of long ago: this optimizer does not set it to zero.
        indices = [index for index in self._owned if self._watched.parameters[index].grad is not None]
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
        sizes = np.array([local(parameter).numel() for parameter in self._watched.parameters], np.float64)
        shares = np.ones(len(everything))
        shares[moving] = sizes[moving] / np.maximum(1, [len(sample) for sample in now])
        self._values["before"] = norms(self._old)
        self._values["update"] = norms([new - old for new, old in zip(now, self._old, strict=True)])
        self._indices["before"] = self._indices["update"] = moving
        rate = self._rate()
        if rate is not None:
            self._journal.scalars.append((self.step, seconds, "learning_rate", [number("learning_rate", rate)]))
        layers = self._watched.layers
        self._journal.norms.append(Norms(self.step, seconds, layers, self._values, self._indices, shares))

    def _rate(self) -> Any:
        """The learning rate; an optimizer that finds its own may have none."""
        return self._optimizer.param_groups[0].get("lr")

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

    def _let_go(self) -> None:
        """Leaves model and optimizer as they were."""
        self._taps.take_off()
        for handle in self._handles:
            handle.remove()
        self._handles = []
