"""The user's own code by name: "path/file.py:name" or "package.module:name"."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pellucid.errors import PellucidError


def load_object(spec: str, purpose: str, error_type: type[PellucidError]) -> Any:
    """Imports a module or file and gives what it calls by that name; attributes may be dotted.

    Args:
        spec: "file.py:name" or "package.module:name".
        purpose: what it is for, in the error's words ("model", "data").
        error_type: raised where it cannot be had.
    """
    home, _, name = spec.rpartition(":")
    if not home or not name:
        raise error_type(f"'{spec}' names no {purpose}: expected 'file.py:function' or 'package.module:function'.")
    try:
        module = _from_file(Path(home)) if home.endswith(".py") else _from_path(home)
    except FileNotFoundError as error:
        raise error_type(f"There is no file {home}. Expected 'file.py:function', seen from this folder.") from error
    except Exception as error:
        raise error_type(f"Importing {home} raised {type(error).__name__}: {error}.") from error
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            offered = ", ".join(one for one in vars(module) if not one.startswith("_")) or "nothing"
            raise error_type(f"{home} has no '{name}'. It has: {offered[:300]}.")
        found = getattr(found, part)
    return found


def _from_path(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(path)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _free_name(path: Path) -> str:
    """The file's own name, or a longer one: a file called types.py must not take the place of Python's."""
    place = str(path.resolve())
    known = sys.modules.get(path.stem)
    taken = known is not None and str(Path(getattr(known, "__file__", None) or "").resolve()) != place
    if taken or path.stem in sys.stdlib_module_names:
        return f"{path.stem}_{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    return path.stem
