"""Models of transformers from a configuration: "transformers:llama", "transformers:path/config.json". Never a download."""

from __future__ import annotations

import contextlib
import difflib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import MissingExtraError, ModelError
from pellucid.models import OpenedModel
from pellucid.models.transformers_inputs import example_of

if TYPE_CHECKING:
    from torch import Tensor

# A configuration is a few kilobytes of JSON; a file beyond this is something else.
_LARGEST = 16 * 2**20
_OTHER_FRAMEWORKS = ("TF", "Flax")


def open_model(spec: str, state: Mapping[str, Tensor] | None) -> OpenedModel:
    """Builds the architecture that a configuration names: without values, or with room for them where weights are given.

    Args:
        spec: "transformers:" and a config.json, the folder that holds one, or a type of model with its default configuration.
        state: the weights that will be put into it; None where there are none: its parameters are then on the meta device.
            An empty mapping stands for random ones.

    Raises: ModelError: no such configuration, none that names an architecture, or one that needs code of its own.
        MissingExtraError.
    """
    try:
        import transformers  # noqa: F401 - asked for before anything else, so that its absence is told as such
    except ImportError as error:
        raise MissingExtraError("transformers", "transformers", f"The model '{spec}'") from error
    name = spec.partition(":")[2]
    with _offline():
        config, wanted = _configuration(name)
        _settle(config)
        model = _built(config, wanted, spec, on_meta=state is None)
    again = None if state is not None else lambda: open_model(spec, {})
    return OpenedModel(model, type(model).__name__, spec, _classes(config), None, example_of(model), again)


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Nothing is fetched meanwhile, whatever a configuration asks for; and nothing is said but errors."""
    from huggingface_hub import constants
    from transformers.utils import logging as told

    known: Any = constants
    logs: Any = told
    before, verbosity = known.HF_HUB_OFFLINE, logs.get_verbosity()
    known.HF_HUB_OFFLINE = True
    logs.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        known.HF_HUB_OFFLINE = before
        logs.set_verbosity(verbosity)


def _configuration(name: str) -> tuple[Any, str | None]:
    """A configuration, and the architecture that it names. Raises: ModelError."""
    path = Path(name).expanduser()
    if path.is_dir() or path.suffix == ".json" or path.is_file():
        return _from_file(path / "config.json" if path.is_dir() else path)
    config = _of_type(name, f"transformers has no type of model '{name}', and there is no such file or folder.", {})
    return config, None


def _from_file(path: Path) -> tuple[Any, str | None]:
    held = _read(path)
    if held.get("auto_map"):
        raise ModelError(
            f"{path} has an 'auto_map': its architecture is code that comes with the model, which is never run from here. "
            "Name that code yourself if you trust it: pellucid graph file.py:function."
        )
    names, kind = held.get("architectures") or [], held.get("model_type")
    wanted = str(names[0]) if isinstance(names, list) and names else None
    if not isinstance(kind, str) or not kind:
        kind = _type_of(wanted) if wanted else None
        if kind is None:
            raise ModelError(
                f"{path} names no architecture: expected a 'model_type' such as 'llama', or 'architectures' such as "
                f"['LlamaForCausalLM']. It has: {', '.join(map(str, list(held)[:12])) or 'nothing'}."
            )
    return _of_type(kind, f"{path} names the type of model '{kind}', which transformers does not have.", held), wanted


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises: ModelError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} is {path.stat().st_size:,} bytes large; a configuration has a few thousand.")
        held = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ModelError(f"There is no configuration {path}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as a configuration: {error}. Expected a JSON object.") from error
    if not isinstance(held, dict):
        raise ModelError(f"{path} holds a JSON {type(held).__name__}; expected an object, as a config.json has it.")
    return held


def _of_type(kind: str, unknown: str, settings: dict[str, Any]) -> Any:
    """The configuration of a type of model, with these settings over the defaults. Raises: ModelError."""
    from transformers import CONFIG_MAPPING

    if kind not in CONFIG_MAPPING:
        known = sorted(CONFIG_MAPPING.keys())
        near = difflib.get_close_matches(kind.lower(), known, n=3, cutoff=0.4)
        told = f"Nearest types: {', '.join(near)}" if near else f"None of its {len(known):,} types has a name like it"
        raise ModelError(f"{unknown} {told}.")
    try:
        return CONFIG_MAPPING[kind].from_dict(settings)
    except Exception as error:
        raise ModelError(
            f"transformers refuses the configuration of '{kind}': {type(error).__name__}: {_first_line(error)}"
        ) from error


def _type_of(architecture: str) -> str | None:
    """The type of model that an architecture belongs to."""
    found = _architecture(architecture)
    config = getattr(found, "config_class", None)
    kind = getattr(config, "model_type", None)
    return kind if isinstance(kind, str) and kind else None


def _settle(config: Any) -> None:
    """Turns off what a single forward does not need, or what would fetch something, in it and in its parts."""
    for part in (config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", ()))):
        if part is None:
            continue
        if hasattr(part, "use_cache"):
            part.use_cache = False
        if getattr(part, "use_pretrained_backbone", False):
            part.use_pretrained_backbone = False


def _built(config: Any, wanted: str | None, spec: str, *, on_meta: bool) -> Any:
    """The model itself. Raises: ModelError, MissingExtraError."""
    import torch

    cls = _architecture(wanted) if wanted is not None else _plain(config)
    if wanted is not None and cls is None:
        raise ModelError(_no_such_architecture(wanted))
    if cls is None:
        raise ModelError(
            f"'{spec}' is a '{config.model_type}', for which transformers has no model of its own: it is a part of others. "
            "Name one of those, or an architecture in the configuration's 'architectures'."
        )
    try:
        with torch.device("meta" if on_meta else "cpu"):
            if on_meta:
                # The other ways to run a mixture of experts ask for values, or for types of numbers, to share out the tokens.
                config._experts_implementation = "batched_mm"
            model = cls._from_config(config)
        # Some parameters are made where their own code says, whatever the device.
        return model.to("meta") if on_meta else model
    except ImportError as error:
        package = next((name for name in ("timm", "natten", "mamba_ssm") if name in str(error)), None)
        if package == "timm":
            raise MissingExtraError("timm", "timm", f"The model '{spec}'") from error
        raise ModelError(f"'{spec}' needs another package: {_first_line(error)}") from error
    except Exception as error:
        raise ModelError(
            f"'{spec}' cannot be built from its configuration: {type(error).__name__}: {_first_line(error)}"
        ) from error


def _plain(config: Any) -> Any:
    """The class for a configuration that names none: the model without a head, or the first with one."""
    from transformers.models.auto import modeling_auto

    tables = [name for name in vars(modeling_auto) if name.endswith("_MAPPING_NAMES")]
    for table in sorted(tables, key=lambda name: name != "MODEL_MAPPING_NAMES"):
        named = vars(modeling_auto)[table].get(config.model_type)
        for name in (named,) if isinstance(named, str) else named or ():
            cls = _architecture(name)
            if cls is not None and cls.config_class is type(config):
                return cls
    return None


def _architecture(name: str) -> Any:
    """The class of that name, or None; a name for another framework is the one without its prefix."""
    import transformers
    from transformers import PreTrainedModel

    for prefix in ("", *_OTHER_FRAMEWORKS):
        plain = name.removeprefix(prefix)
        found = getattr(transformers, plain, None) if plain.isidentifier() else None
        if isinstance(found, type) and issubclass(found, PreTrainedModel):
            return found
    return None


def _no_such_architecture(name: str) -> str:
    import transformers

    known = [one for one in dir(transformers) if one.endswith("Model") or "For" in one]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"transformers has no architecture '{name}'." + (f" Nearest: {', '.join(near)}." if near else "")


def _classes(config: Any) -> tuple[str, ...] | None:
    """Names of classes, where the configuration has more than placeholders."""
    names = getattr(config, "id2label", None)
    if not isinstance(names, Mapping) or sorted(names) != list(range(len(names))):
        return None
    listed = tuple(str(names[index]) for index in range(len(names)))
    return None if all(name == f"LABEL_{index}" for index, name in enumerate(listed)) else listed


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
