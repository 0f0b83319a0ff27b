"""Weights from a file, without running code from it."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pellucid.errors import TrustError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

# Where checkpoints keep weights; of several that fit equally well the first is taken.
_WRAPPERS = (
    "state_dict", "model", "model_state_dict", "model_state", "net", "network", "module", "weights", "params", "ema",
    "model_ema", "ema_state_dict", "params_ema",
)  # fmt: skip
_DEEPEST = 3
_SHOWN = 4
_KEYS = 8


def read_weights(
    path: Path, *, trust: bool = False, code: str = "", wanted: Collection[str] = ()
) -> dict[str, Tensor]:  # fmt: skip
    """A state dict from .safetensors, .pt or .pth.

    Args:
        path: the file.
        trust: open one that holds pickled code.
        code: the imported model's name ("file.py:function"): a module that was saved whole may be of its classes.
        wanted: names that the model's state dict has; of several in the file the one that fits best is taken.

    Raises: WeightsError: no such file, or no state dict in it. TrustError: it holds pickled code, and `trust` is off.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    with path.open("rb") as stream:
        begins = stream.read(2)
    if begins != b"PK" and begins[:1] != b"\x80":
        # Torch would call a web page, or a pointer of Git LFS, a pickle that it does not trust.
        raise WeightsError(
            f"{path} cannot be read as weights: it is none of the files that torch.save writes. Was it downloaded whole?"
        )
    try:
        held = _loaded(path, trust=trust, code=code)
    except Exception as error:
        if not trust and isinstance(error, pickle.UnpicklingError):
            raise TrustError(
                f"{path} holds more than tensors: opening it would run code from it. If you know where it comes from, open "
                "it with --trust; better, save the state dict alone (torch.save(model.state_dict(), ...) or safetensors)."
            ) from error
        if isinstance(error, AttributeError | ImportError):
            raise WeightsError(
                f"{path} holds objects of classes that cannot be found: {type(error).__name__}: {error}. Run this where their "
                "code can be imported, and name the model by the file that has them (file.py:function); or save the state "
                "dict alone (torch.save(model.state_dict(), ...))."
            ) from error
        raise WeightsError(
            f"{path} cannot be read as weights: {type(error).__name__}: {error}. Expected .safetensors, or a state dict "
            "that torch.save wrote; is the file whole?"
        ) from error
    return _state_dict(held, path, set(wanted))


def _loaded(path: Path, *, trust: bool, code: str) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=not trust)
    except (AttributeError, ImportError):
        if not trust or not code:
            raise
        with _as_when_it_was_saved(code):
            return torch.load(path, map_location="cpu", weights_only=False)


@contextlib.contextmanager
def _as_when_it_was_saved(code: str) -> Iterator[None]:
    """Inside, modules beside the model's file can be imported, and its classes are those of the program that runs.

    A script pickles its own classes as those of `__main__`.
    """
    home = code.rpartition(":")[0]
    folders, program = list(sys.path), sys.modules["__main__"]
    alike = ModuleType("__main__")
    alike.__dict__.update({**vars(program), **_namespace(home)})
    sys.path[:0] = [str(Path(home).resolve().parent), str(Path.cwd())]
    sys.modules["__main__"] = alike
    try:
        yield
    finally:
        sys.modules["__main__"] = program
        sys.path[:] = folders


def _namespace(home: str) -> Mapping[str, Any]:
    """What the imported module or file has."""
    if not home.endswith(".py"):
        return vars(sys.modules[home]) if home in sys.modules else {}
    place = Path(home).resolve()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and Path(file).name == place.name and Path(file).resolve() == place:
            return vars(module)
    return {}


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file: {error}.") from error


def _state_dict(held: Any, path: Path, wanted: set[str]) -> dict[str, Tensor]:
    found = list(_found(held, _DEEPEST))
    if not found:
        inside = (
            f"a dict of {', '.join(map(str, list(held)[:_KEYS])) or 'nothing'}" if isinstance(held, Mapping) else None
        )
        raise WeightsError(
            f"{path} holds {inside or f'a {type(held).__name__}'}; expected a state dict: names of parameters and tensors."
        )
    fits = [len(wanted & set(unprefixed(state, wanted))) for _, state in found]
    best = [one for one, fit in zip(found, fits, strict=True) if fit == max(fits)]
    ranked = sorted(best, key=_rank)  # keeps the order of equals
    if len(best) > 1 and _rank(ranked[1]) == _rank(ranked[0]) > len(_WRAPPERS):
        raise WeightsError(
            f"{path} holds several state dicts ({', '.join(name for name, _ in best[:_KEYS])}), and which of them is the "
            "model's cannot be told. Save that one alone (torch.save(model.state_dict(), ...))."
        )
    return ranked[0][1]


def _rank(one: tuple[str, object]) -> int:
    """Known places first, then the file itself, then any other key."""
    name, _ = one
    return _WRAPPERS.index(name) if name in _WRAPPERS else len(_WRAPPERS) + bool(name)


def _found(held: Any, deepest: int, name: str = "") -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The state dicts in what a file holds, each with the key that it lies under, innermost first."""
    import torch

    if isinstance(held, torch.nn.Module):
        held = held.state_dict()
    if not isinstance(held, Mapping):
        return
    if deepest:
        for key, inner in held.items():
            if isinstance(key, str):  # an optimizer numbers the parameters that it keeps tensors for
                yield from _found(inner, deepest - 1, key)
    state = {str(key): value for key, value in held.items() if isinstance(value, torch.Tensor) and isinstance(key, str)}
    if state:
        yield name, state


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Puts a state dict into a model; all of it must fit. Raises: WeightsError, with what does not."""
    wanted = {name: entry for name, entry in model.state_dict().items() if hasattr(entry, "shape")}
    found = unprefixed(state, set(wanted))
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in wanted]
    misfits = [
        f"{name} is {tuple(found[name].shape)}, the model wants {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    told = [
        _told("missing", missing),
        _told("not in the model", unexpected),
        _told("of another shape", misfits),
    ]
    if any(told):
        raise WeightsError(
            f"The weights in {source} do not fit the model: {'; '.join(filter(None, told))}. Is this the architecture, and "
            "the number of classes, that the weights were trained for?"
        )
    model.load_state_dict(dict(found), strict=False)


def _told(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{more})" if names else ""


def unprefixed(state: Mapping[str, Tensor], wanted: set[str]) -> Mapping[str, Tensor]:
    """Takes off what wrappers (DataParallel, torch.compile, Lightning) put before most names, where that makes more fit."""
    best, fits = state, len(wanted & set(state))
    if fits == len(wanted):
        return best
    before = Counter(
        name[:end] for name in state for end in itertools.islice(_dots(name), _DEEPEST)
    )  # of "module.net.conv.weight": "module.", "module.net.", "module.net.conv."
    for prefix, many in before.items():
        if 2 * many < len(state):
            continue
        stripped = {name.removeprefix(prefix): value for name, value in state.items()}
        if len(stripped) == len(state) and len(wanted & set(stripped)) > fits:
            best, fits = stripped, len(wanted & set(stripped))
    return best


def _dots(name: str) -> Iterator[int]:
    """Where each piece of a dotted name begins, the first left out."""
    return (place + 1 for place, letter in enumerate(name) if letter == ".")
