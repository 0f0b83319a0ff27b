"""Gradients of each example's loss by the model's parameters, a chunk of examples at a time; the model is never changed.

torch.func takes a chunk in one pass (vmap over the gradient). Where vmap refuses (a recurrent kernel, control flow that looks
at values, random numbers), and where it is slower (many parameters on a CPU, whose grouped convolutions it calls), examples
go through one at a time; `way` and `why` say so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.utils._pytree import tree_map_only

from pellucid.capture.call import as_arguments, shapes, to_device, unwrapped
from pellucid.capture.memory import for_memory, spare
from pellucid.capture.placing import place_of, unfused
from pellucid.capture.preserve import preserved
from pellucid.capture.trees import batch_size
from pellucid.errors import ForwardError, MethodError, PellucidError
from pellucid.graph.guard import untouched
from pellucid.types import Passes, Tree

Loss = Callable[[Any, Tensor], Tensor]
"""From the model's output for a batch of one, and that example's target, a tensor of one, to a single number."""

Way = Literal["vmap", "loop"]

# Bytes of gradients held at once, and numbers of input in a chunk, which bound what a backward keeps.
GRADIENT_BYTES = 1 << 28
INPUT_VALUES = 1 << 20
MOST_EXAMPLES = 64
# Sizes of the model that its copy, one example's gradients and what the backward makes on the way take together.
COPIES = 4
# On a CPU, models with more parameters than this are as fast or faster one example at a time.
FEW_PARAMETERS = 1 << 17


@dataclass(frozen=True)
class Chunk:
    """Some examples' gradients.

    Attributes:
        start: place of the first in the inputs.
        losses: float64[example].
        gradients: by parameter, float[example ...], the parameter's shape after the first axis.
    """

    start: int
    losses: Tensor
    gradients: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.losses)


class PerExample:
    """A model held open for the gradients of its parameters, in evaluation mode.

        with PerExample(model, loss) as learner:
            for chunk in learner.of(images, targets):
                ...

    Dropout is off and batch normalisation uses its running statistics, so that examples do not share a gradient. The
    parameters are copied once: neither torch.func nor a forward that writes to them reaches the model's own.

    Args:
        model: any module; wrappers of torch.compile and DataParallel are looked through.
        loss: of one example.
        device: where the inputs go; where the parameters are if None.
        way: "vmap" or "loop"; the faster one if None.
        most: examples at a time with vmap; what memory bears if None.

    Attributes:
        names: parameters that have gradients, each once: those set to learn, or all where none is.
        frozen: floating parameters that are not among them.
        way, why: how it goes, and in words why not with vmap; why is empty with vmap.
        notes: in words, what was done about memory.
        passes: what was spent.

    Raises: MethodError, when entered: the model has no parameters with gradients, or a layer mixes the examples of a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        *,
        device: str | None = None,
        way: Way | None = None,
        most: int | None = None,
    ) -> None:
        self.model = unwrapped(model)
        self.passes = Passes()
        self.notes: list[str] = []
        self._loss = loss
        self._most = most
        floating = {name: one for name, one in self.model.named_parameters() if one.is_floating_point()}
        learning = [name for name, one in floating.items() if one.requires_grad]
        self.names = tuple(learning or floating)
        self.frozen = tuple(name for name in floating if name not in set(self.names))
        self.count = sum(floating[name].numel() for name in self.names)
        self.device = place_of(self.model.parameters(), device)
        self.way: Way = way or ("vmap" if self.device.type != "cpu" or self.count <= FEW_PARAMETERS else "loop")
        self.why = "" if self.way == "vmap" else "on a CPU a model of this size is faster so"
        self._parameters: dict[str, Tensor] = {}
        self._rest: dict[str, Tensor] = {}
        self._names: dict[str, str] = {}
        self._bytes = sum(one.numel() * one.element_size() for one in self.model.parameters())
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._refuse()
        try:
            self._stack.enter_context(torch.inference_mode(False))
            # A module that keeps a tensor of its forward would keep one of vmap's, which nobody can read: all is taken back.
            self._stack.enter_context(untouched(self.model))
            self._stack.enter_context(preserved(self.model))
            self._stack.enter_context(unfused(self.model.modules()))
            self._copy()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parameters, self._rest, self._names = {}, {}, {}
        self._stack.close()

    def of(self, inputs: Tree, targets: Tensor) -> Iterator[Chunk]:
        """Every example's loss and gradients, in order; a chunk's gradients are best let go before the next is asked for.

        Args:
            inputs: a tree with a batch axis on every leaf.
            targets: [example], as `loss` takes them.

        Raises: ForwardError: the model raised. MethodError: the loss has no gradient, or memory does not suffice for one.
        """
        start, total = 0, batch_size(inputs)
        size = whole = min(self._size(inputs), total)
        while start < total:
            rows = slice(start, min(start + size, total))
            try:
                part = to_device(
                    tree_map_only(Tensor, lambda leaf, rows=rows: leaf[rows], inputs), self.device, copy=True
                )
                losses, gradients = self._chunk(part, targets[rows].to(self.device))
            except Exception as error:
                if not for_memory(error):
                    raise
                if rows.stop - start == 1:
                    raise MethodError(
                        "Memory does not suffice for the parameter gradients of a single example "
                        f"({self.count:,} parameters). Free memory, or look at a smaller model."
                    ) from error
                size = max(min(size, len(targets) - start) // 2, 1)
                continue
            yield Chunk(start, losses.double().detach(), gradients)
            del losses, gradients
            start = rows.stop
        if size < whole:
            self.notes.append(f"Memory did not suffice for {whole} examples at a time: {size} were used.")

    # --- how --------------------------------------------------------------------------------------------------

    def _copy(self) -> None:
        with torch.no_grad():
            copies = {name: one.detach().clone() for name, one in self.model.named_parameters()}
            self._rest = {name: one.detach().clone() for name, one in self.model.named_buffers()}
        self._parameters = {name: copies.pop(name) for name in self.names}
        self._rest.update(copies)
        # What stands in the model under several names has the gradient of all of them; torch finds them anew at every
        # call, which takes longer than a small model's forward.
        first: dict[int, str] = {}
        for named in (self.model.named_parameters, self.model.named_buffers):
            for name, one in named(remove_duplicate=False):
                self._names[name] = first.setdefault(id(one), name)
        for module in self.model.modules():
            if getattr(module, "inplace", None) is True:
                module.inplace = False  # type: ignore[assignment]

    def _size(self, inputs: Tree) -> int:
        if self.way == "loop":
            return 1
        if self._most is not None:
            return self._most
        values = sum(leaf[0].numel() for leaf in _leaves(inputs))
        return max(1, min(GRADIENT_BYTES // (4 * self.count), INPUT_VALUES // max(values, 1), MOST_EXAMPLES))

    def _chunk(self, inputs: Tree, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if self.way == "vmap":
            try:
                losses, gradients = self._together(inputs, targets)
            except Exception as error:
                if for_memory(error):
                    raise
                self.way, self.why = "loop", f"vmap refuses this model: {_first_line(error)}"
            else:
                self._count(len(targets))
                if not any(bool(one.any()) for one in gradients.values()):
                    # torch.func gives zeros where there is no gradient at all; autograd says that there is none.
                    self._alone(tree_map_only(Tensor, lambda leaf: leaf[:1], inputs), targets[:1])
                return losses, gradients
        alone = [
            self._alone(tree_map_only(Tensor, lambda leaf, at=at: leaf[at : at + 1], inputs), targets[at : at + 1])
            for at in range(len(targets))
        ]
        return torch.stack([loss for loss, _ in alone]), {
            # A single example's gradients, of a large model nearly all there are, are not copied.
            name: torch.stack([gradients[name] for _, gradients in alone])
            if len(alone) > 1
            else alone[0][1][name][None]
            for name in self.names
        }

    def _together(self, inputs: Tree, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        def one(parameters: dict[str, Tensor], example: Any, target: Tensor) -> Tensor:
            batch = tree_map_only(Tensor, lambda leaf: leaf.unsqueeze(0), example)
            return self._loss(self._call(parameters, batch), target.unsqueeze(0)).reshape(())

        with warnings.catch_warnings():
            # An operator without a rule of its own is run example by example, which is right and no news to anybody.
            warnings.filterwarnings("ignore", "There is a performance drop")
            gradients, losses = vmap(grad_and_value(one), in_dims=(None, 0, 0))(self._parameters, inputs, targets)
        return losses, gradients

    def _alone(self, inputs: Tree, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        leaves = {name: one.detach().requires_grad_() for name, one in self._parameters.items()}
        with torch.enable_grad():
            try:
                loss = self._loss(self._call(leaves, inputs), target).reshape(())
            except PellucidError:
                raise
            except Exception as error:
                if for_memory(error):
                    raise
                raise ForwardError(
                    f"The model raised {type(error).__name__}: {_first_line(error)}. It was called with {shapes(inputs)}."
                ) from error
            if not loss.requires_grad:
                raise MethodError(
                    "The loss has no gradient by the model's parameters: the model is quantised, runs under no_grad, or "
                    "detaches on the way. How its layers learn cannot be told."
                )
            try:
                found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
            except RuntimeError as error:
                if for_memory(error):
                    raise
                raise MethodError(
                    f"The model's backward raised {type(error).__name__}: {_first_line(error)}. How its layers learn "
                    "cannot be told."
                ) from error
        self._count(1)
        return loss.detach(), {
            # An embedding with sparse=True has a sparse one.
            name: torch.zeros_like(leaf) if gradient is None else gradient.to_dense()
            for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
        }

    def _call(self, parameters: dict[str, Tensor], inputs: Tree) -> Any:
        positional, named = as_arguments(inputs, self.model)
        held = {**self._rest, **parameters}
        values = {name: held[first] for name, first in self._names.items()}
        return functional_call(self.model, values, positional, named, tie_weights=False)

    def _count(self, examples: int) -> None:
        self.passes.add(Passes(1, 1, examples, examples))

    def _refuse(self) -> None:
        if not self.names:
            raise MethodError(
                "The model has no parameters with gradients: it has none at all, or is quantised. How its layers learn "
                "cannot be told."
            )
        # Asked beforehand: where a CPU's memory runs out, the system ends the program instead of raising anything.
        needed, free = COPIES * self._bytes, spare(self.device)
        if free is not None and needed > free:
            raise MethodError(
                f"The gradients of one example by {self.count:,} parameters take about {needed / 1e9:.1f} GB, with a copy of "
                f"the model that is left alone; {free / 1e9:.1f} GB are free."
            )
        if isinstance(self.model, torch.jit.ScriptModule):
            raise MethodError(
                "A TorchScript model keeps its parameters to itself. Give the module that it was made from to see how its "
                "layers learn."
            )
        for name, module in self.model.named_modules():
            if isinstance(module, nn.modules.batchnorm._NormBase) and _mixes(module):
                raise MethodError(
                    f"'{name}' ({type(module).__name__}) keeps no running statistics: it normalises over the batch, so that "
                    "no example has a gradient of its own."
                )


def _mixes(module: nn.modules.batchnorm._NormBase) -> bool:
    """Whether a normalisation uses the batch's statistics in evaluation mode; those of instances use their own only."""
    batch = isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(
        module, nn.modules.instancenorm._InstanceNorm
    )
    return batch and (module.running_mean is None or module.running_var is None)


def _leaves(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else ()
    return [leaf for part in parts for leaf in _leaves(part)]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:200]
