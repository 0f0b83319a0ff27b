"""What calls are named, and what part they play: shared by the tracer and the capture engine, so that both agree.

A module call is named by its path; a function called by a module `<path>.<name>()`, at the root `<name>()`; later calls
of the same name end in `#2`, `#3`. Calls inside a leaf module of torch.nn are its own business and get no name.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import nn

Role: TypeAlias = Literal["compute", "norm", "activation", "pool", "join", "pass", "other"]

# Classes with these names are what they are called in these packages; anyone else's may compute anything.
_KNOWN = (
    "torch.", "torchvision.", "timm.", "transformers.", "open_clip.", "clip.", "diffusers.", "efficientnet_pytorch.",
)  # fmt: skip
# Class names of torch.nn, and of the activations that libraries write for themselves, to the function's name.
_ACTIVATION_CLASSES = {
    "CELU": "celu", "ELU": "elu", "FastGELUActivation": "gelu", "GELU": "gelu", "GELUActivation": "gelu",
    "GELUTanh": "gelu", "GELUTanhActivation": "gelu", "HardMish": "mish", "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish", "Hardsigmoid": "hardsigmoid", "Hardswish": "hardswish", "Hardtanh": "hardtanh",
    "LeakyReLU": "leaky_relu", "LogSigmoid": "logsigmoid", "Mish": "mish", "NewGELUActivation": "gelu",
    "PReLU": "prelu", "QuickGELU": "quick_gelu", "QuickGELUActivation": "quick_gelu", "QuickGelu": "quick_gelu",
    "RReLU": "rrelu", "ReLU": "relu", "ReLU6": "relu6", "SELU": "selu", "SiLU": "silu", "SiLUActivation": "silu",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Softsign": "softsign", "Swish": "silu",
    "MemoryEfficientSwish": "silu", "Tanh": "tanh",
}  # fmt: skip
_ACTIVATION_FUNCTIONS = frozenset(_ACTIVATION_CLASSES.values()) - {"quick_gelu"}

_CLASS_ROLES: dict[str, Role] = {
    "_ConvNd": "compute", "Bilinear": "compute", "Conv1D": "compute", "Embedding": "compute",
    "EmbeddingBag": "compute", "Linear": "compute", "MultiheadAttention": "compute", "RNNBase": "compute",
    "RNNCellBase": "compute", "FrozenBatchNorm2d": "norm", "GroupNorm": "norm", "LayerNorm": "norm",
    "LocalResponseNorm": "norm", "RMSNorm": "norm", "_NormBase": "norm", "_AdaptiveAvgPoolNd": "pool",
    "_AdaptiveMaxPoolNd": "pool", "_AvgPoolNd": "pool", "_LPPoolNd": "pool", "_MaxPoolNd": "pool",
    "FractionalMaxPool2d": "pool", "FractionalMaxPool3d": "pool", "_DropoutNd": "pass", "Flatten": "pass",
    "Identity": "pass", "Unflatten": "pass",
}  # fmt: skip
_POOLS = [
    f"{kind}_pool{axes}d"
    for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max", "fractional_max")
    for axes in (1, 2, 3)
]
_FUNCTIONS: dict[Role, Iterable[str]] = {
    "activation": _ACTIVATION_FUNCTIONS,
    "compute": (
        "addmm", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
        "embedding", "embedding_bag", "gru", "linear", "lstm", "multi_head_attention_forward", "rnn_relu", "rnn_tanh",
    ),
    "norm": ("batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"),
    "pool": _POOLS,
    "join": ("add", "cat", "concat", "concatenate"),
    "pass": (
        "T", "alpha_dropout", "bfloat16", "chunk", "clone", "contiguous", "detach", "dropout", "dropout1d",
        "dropout2d", "dropout3d", "expand", "expand_as", "feature_alpha_dropout", "flatten", "float", "getitem",
        "half", "mT", "movedim", "narrow", "pad", "permute", "reshape", "roll", "select", "split", "squeeze",
        "swapaxes", "to", "transpose", "type", "type_as", "unbind", "unflatten", "unsqueeze", "view", "view_as",
    ),
}  # fmt: skip
_FUNCTION_ROLES: dict[str, Role] = {name: role for role, names in _FUNCTIONS.items() for name in names}
_CONTAINERS = frozenset({"Module", "ModuleDict", "ModuleList", "Sequential"})


class CallNames:
    """Names the calls of one forward, in order."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}

    def module(self, path: str) -> tuple[str, int]:
        """Name and number (from 1) of the next call of the module at a path."""
        call = self._calls[path] = self._calls.get(path, 0) + 1
        return numbered(path, call), call

    def function(self, path: str, function: str) -> tuple[str, int]:
        """Name and number of the next call of a function by the module at a path."""
        return self.module(function_path(path, function))


def numbered(path: str, call: int) -> str:
    """The name of the call of that number: "relu", "relu#2"."""
    return path if call == 1 else f"{path}#{call}"


def perhaps_first(names: Iterable[str]) -> set[str]:
    """The names, and those without their numbers: of "relu#2" also "relu", for a "#" may be the path's own."""
    return {one for name in names for one in ({name, name.rpartition("#")[0]} if "#" in name else {name})}


def function_path(path: str, function: str) -> str:
    """Where a function is called: "features.3.relu()"."""
    return f"{path}.{function}()" if path else f"{function}()"


def module_paths(model: nn.Module) -> dict[int, str]:
    """Path of every module by the module's id. One that is registered twice has the first of its paths."""
    paths: dict[int, str] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(id(module), path)
    return paths


def function_name(function: object) -> str:
    """The plain name of what a TorchFunctionMode sees: "relu" of `relu_`, "add" of `add_`, "T" of the property."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if name == "__get__":
        name = str(getattr(getattr(function, "__self__", None), "__name__", name))
    return _without_underscores(name)


@lru_cache(maxsize=4096)
def _without_underscores(name: str) -> str:
    return name.partition(".")[0].strip("_") or name


def is_opaque(module: nn.Module) -> bool:
    """Whether a module is a leaf of the graph: what it calls inside is not shown and not counted for names."""
    kind: type = type(module)
    always, alone = _opaque_kind(kind)
    if always or not alone:
        return always
    return not module._modules or all(name == "parametrizations" for name, _ in module.named_children())


@lru_cache(maxsize=4096)
def _opaque_kind(kind: type) -> tuple[bool, bool]:
    """Whether modules of a class are leaves of the graph: all of them, and those that hold no others."""
    bases = kind.__mro__
    always = any(base.__name__ == "MultiheadAttention" or base.__module__.startswith("torch.jit") for base in bases)
    alone = any(
        base.__name__ in _CLASS_ROLES
        or base.__name__ in _ACTIVATION_CLASSES
        or (base.__module__.startswith("torch.nn.") and base.__name__ not in _CONTAINERS)
        for base in bases
    )
    return always, alone


def operation_of(module: nn.Module) -> str:
    """The class's name, as it was before torch's parametrizations renamed it."""
    name = type(module).__name__
    renamed = name.startswith("Parametrized") and hasattr(module, "parametrizations")
    return name.removeprefix("Parametrized") if renamed else name


def module_role(module: nn.Module) -> tuple[Role, str | None]:
    """The part that a leaf module plays, and the name of the function where it is known to be that activation."""
    kind: type = type(module)
    return _role_of_kind(kind)


@lru_cache(maxsize=4096)
def _role_of_kind(kind: type) -> tuple[Role, str | None]:
    for base in kind.__mro__:
        if base.__name__ in _ACTIVATION_CLASSES:
            known = base.__module__.startswith(_KNOWN) and _forward(kind) is _forward(base)
            return "activation", _ACTIVATION_CLASSES[base.__name__] if known else None
        if base.__name__ in _CLASS_ROLES:
            return _CLASS_ROLES[base.__name__], None
    return "other", None


def _forward(kind: type) -> object:
    return getattr(kind, "forward", None)


def function_role(name: str) -> tuple[Role, str | None]:
    """The part that a function plays, and its name where it is an activation."""
    role = _FUNCTION_ROLES.get(name, "other")
    return role, name if role == "activation" else None
