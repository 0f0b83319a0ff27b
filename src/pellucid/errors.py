"""Every error that pellucid raises on purpose.

    PellucidError
    ├── OptionError          an option or argument that cannot be right
    ├── MissingExtraError    an optional dependency is not installed
    ├── TrustError           a file that would run code, opened without --trust
    ├── ModelError           a model that cannot be opened, or fails
    │   ├── WeightsError     weights that do not fit the model
    │   └── ForwardError     the model raised in its own forward
    ├── DataError            data that cannot be opened, or is not what it claims
    │   └── UnreadableError  examples that cannot be decoded, by name
    ├── MethodError          a method that cannot be right on this model
    │   ├── TargetError      a target that the output does not have
    │   └── LayerError       a layer that does not exist or does not fit
    └── RecordError          a record that cannot be written or read
        ├── SchemaError      a record of a newer schema
        ├── DamagedError     a truncated or altered record
        └── StorageError     the disk is full or refuses

A message says what was expected, what arrived, where, and what to do.
"""

from __future__ import annotations


class PellucidError(Exception):
    """The root: catch this to catch everything that pellucid refuses."""


class OptionError(PellucidError):
    """An option or argument that cannot be right."""


class MissingExtraError(PellucidError):
    """An optional dependency is not installed; the message holds the install line."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}'. Install it: pip install 'pellucid[{extra}]'")


class TrustError(PellucidError):
    """A file that would run code when opened; --trust opens it."""


class ModelError(PellucidError):
    """A model that cannot be opened, or fails."""


class WeightsError(ModelError):
    """Weights that do not fit the model."""


class ForwardError(ModelError):
    """The model raised in its own forward; the original error is the cause."""


class DataError(PellucidError):
    """Data that cannot be opened, or is not what it claims to be."""


class UnreadableError(DataError):
    """Examples that cannot be decoded, by name."""

    def __init__(self, message: str, names: tuple[str, ...]) -> None:
        super().__init__(message)
        self.names = names


class MethodError(PellucidError):
    """A method that cannot be right on this model, layer or target."""


class TargetError(MethodError):
    """A target that the model's output does not have."""


class LayerError(MethodError):
    """A layer that does not exist, or whose output does not fit the method."""


class RecordError(PellucidError):
    """A record that cannot be written or read."""


class SchemaError(RecordError):
    """A record of a newer schema than this pellucid reads."""


class DamagedError(RecordError):
    """A truncated or altered record."""


class StorageError(RecordError):
    """The disk is full or refuses to be written."""
