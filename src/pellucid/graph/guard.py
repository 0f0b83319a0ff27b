"""Running a model without leaving a trace in it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import torch

from pellucid.graph.keeping import Kept

if TYPE_CHECKING:
    from torch import Tensor, nn


@contextlib.contextmanager
def untouched(model: nn.Module, modules: Sequence[nn.Module] | None = None) -> Iterator[None]:
    """Evaluation mode inside; afterwards all that `Kept` names, mode and random state are as they were, also after an error.

    Modes are set flag by flag: a model's own `train` and `eval` may do more than that. Attention's fast path, which hides
    what it computes, and compiled graphs are off inside.

    Args:
        model: what runs inside.
        modules: its modules, where they are known.
    """
    if modules is None:
        modules = list(model.modules())
    # A frozen script has no mode.
    modes = [(module, module.training) for module in modules if hasattr(module, "training")]
    kept = Kept(modules)
    buffers = [buffer for module in modules for buffer in _buffers(module)]
    values = [
        (buffer, (buffer.detach() if buffer.requires_grad else buffer).clone(), _version(buffer)) for buffer in buffers
    ]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with _random_state(), _eager():
        try:
            torch.backends.mha.set_fastpath_enabled(False)
            for module, training in modes:
                if training:
                    module.training = False
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            for module, training in modes:
                if module.training is not training:
                    module.training = training
            kept.restore()
            for buffer, value, version in values:
                if version is None or _version(buffer) != version:
                    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                        buffer.copy_(value)


def _buffers(module: nn.Module) -> list[Tensor]:
    if type(module._buffers) is dict and not module._buffers:
        return []
    if isinstance(module, torch.jit.ScriptModule):
        return list(module.buffers(recurse=False))
    # What `buffers` gives too, which walks over the module's insides to tell that it need not.
    return list({id(buffer): buffer for buffer in module._buffers.values() if buffer is not None}.values())


class ParameterGuard:
    """Puts back parameters that a forward writes to, without copying those that it leaves alone."""

    def __init__(self, model: nn.Module, parameters: Iterable[Tensor] | None = None) -> None:
        self._parameters = model.parameters() if parameters is None else parameters
        self._saved: list[tuple[Tensor, Tensor]] = []

    @cached_property
    def _owners(self) -> dict[int, list[Tensor]]:
        """The parameters over each memory; looked up when something is written to for the first time."""
        owners: dict[int, list[Tensor]] = {}
        for parameter in self._parameters:
            memory = memory_of(parameter)
            if memory is not None:
                owners.setdefault(memory._cdata, []).append(parameter)
        return owners

    def before(self, overload: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hears of an operator that is about to run; copies the parameters that it will write to."""
        if not writes_to_arguments(overload):
            return
        for value in (*args, *kwargs.values()):
            memory = memory_of(value) if isinstance(value, torch.Tensor) else None
            for parameter in self._owners.pop(memory._cdata, ()) if memory is not None else ():
                self._saved.append((parameter, parameter.detach().clone()))

    @property
    def wrote(self) -> bool:
        """Whether there are copies to put back."""
        return bool(self._saved)

    def restore(self) -> bool:
        """Puts the copied values back; whether there were any."""
        written = self.wrote
        for parameter, value in self._saved:
            with torch.inference_mode(parameter.is_inference()), torch.no_grad():
                parameter.copy_(value)
        self._saved.clear()
        return written


@cache
def writes_to_arguments(overload: Any) -> bool:
    """Whether an operator changes one of its arguments in place; asking its schema takes longer than many operators."""
    schema = getattr(overload, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def memory_of(tensor: Tensor) -> torch.UntypedStorage | None:
    """The memory that a tensor looks at; None where it has none of its own (sparse, wrapped)."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


@contextlib.contextmanager
def _random_state() -> Iterator[None]:
    cpu, python = torch.get_rng_state(), random.getstate()
    started = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if started else None
    numpy = sys.modules.get("numpy")
    array = numpy.random.get_state() if numpy else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        random.setstate(python)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(array)


# Before, loading the compiler runs operators, which would be taken for the model's: it is loaded while nothing watches.
_LOADS_SILENTLY = "2.10"


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """What is compiled runs as it was written."""
    if "torch._dynamo.eval_frame" in sys.modules or torch.__version__ < _LOADS_SILENTLY:
        with torch.compiler.set_stance("force_eager"):
            yield
        return
    # The stance loads the compiler, which takes seconds: nothing is compiled yet, and it waits for the first that is.
    compiling = torch.compile
    with contextlib.ExitStack() as stances:

        def compiled(*args: Any, **kwargs: Any) -> Any:
            stances.enter_context(torch.compiler.set_stance("force_eager"))
            return compiling(*args, **kwargs)

        torch.compile = compiled
        try:
            yield
        finally:
            torch.compile = compiling


def needs_gradients(error: BaseException | None) -> bool:
    """Whether a forward raised because it differentiates itself, and nothing is differentiable where it was run."""
    return isinstance(error, RuntimeError) and "does not require grad" in str(error)
