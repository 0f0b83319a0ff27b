"""A study in a record: `human/trials/<name>/` holds its plan, who is invited, its pictures, and every response."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from pellucid.errors import DamagedError, OptionError, RecordError, SchemaError
from pellucid.record import Record, files
from pellucid.record.lock import Lock
from pellucid.server.trials.design import Design, Picture, Timing, Trial, checked
from pellucid.server.trials.journal import Journal, Response, whole_lines
from pellucid.server.trials.pictures import Chosen
from pellucid.server.trials.plan import MASKS, plan

__all__ = ["Design", "Plan", "Study", "Timing", "studies"]

VERSION = 1
FOLDER = "human/trials"
_PLAN, _INVITATIONS, _RESPONSES, _PICTURES = "study.json", "invitations.json", "responses.jsonl", "pictures"

Value = TypeVar("Value")


class Plan(msgspec.Struct, frozen=True):
    """What a study is and who sees what; written when it begins, and again when observers are added.

    Attributes:
        version: of this file.
        name: of the study.
        design: how it is run.
        categories: among which people choose.
        pictures: that may be shown.
        observers: by code, the trials in order.
    """

    version: int
    name: str
    design: Design
    categories: tuple[str, ...]
    pictures: tuple[Picture, ...]
    observers: dict[str, list[Trial]]


class Study:
    """A study of a record, with everything that people answered so far.

    Attributes:
        record: whose pictures are shown.
        folder: where it lies.
        plan: what it is.
        tokens: by observer's code, what lets them in.
    """

    def __init__(self, record: Record, name: str) -> None:
        """Opens a study. Raises: RecordError: the record has none of this name; DamagedError; SchemaError."""
        self.record = record
        self.folder = _folder(record, name)
        self.plan = _read(self.folder / _PLAN, Plan, record)
        if self.plan.version > VERSION:
            raise SchemaError(
                f"The study {self.folder} is of a newer pellucid (version {self.plan.version}). Upgrade pellucid."
            )
        _check(self.plan, self.folder / _PLAN)
        # A record is passed on without them; `invite` then makes new ones.
        invited = (self.folder / _INVITATIONS).exists()
        self.tokens = _read(self.folder / _INVITATIONS, dict[str, str], record) if invited else {}

    @classmethod
    def begin(cls, record: Record, name: str, chosen: Chosen, design: Design) -> Study:
        """Makes a study without observers. Raises: OptionError: the design cannot be; RecordError: there is one already."""
        folder = _folder(record, name)
        if (folder / _PLAN).exists():
            raise RecordError(f"The record has a study {name!r} already. Choose another --study.")
        design = checked(design, chosen.categories)
        for file, content in chosen.content.items():
            files.put(folder / _PICTURES / file, content, durable=False)
            files.settle(folder / _PICTURES / file)
        _write_secret(folder / _INVITATIONS, msgspec.json.encode({}))
        plan_ = Plan(VERSION, name, design, chosen.categories, chosen.pictures, {})
        files.put(folder / _PLAN, msgspec.json.format(msgspec.json.encode(plan_)))
        return cls(record, name)

    def invite(self, observers: int) -> None:
        """Adds observers until there are so many; those that there are keep their trials and tokens.

        Raises: RecordError: a server runs this study.
        """
        lock = self.lock()
        try:
            plans, tokens = dict(self.plan.observers), dict(self.tokens)
            for number in range(len(plans), observers):
                code = f"subject-{self.plan.name}-{number + 1:02d}"  # no other study of the record has one like it
                plans[code] = plan(self.plan.pictures, self.plan.categories, self.plan.design, number)
            for code in plans:
                tokens.setdefault(code, secrets.token_urlsafe(24))
            _write_secret(self.folder / _INVITATIONS, msgspec.json.format(msgspec.json.encode(tokens)))
            if plans != self.plan.observers:
                self.plan = msgspec.structs.replace(self.plan, observers=plans)
                files.put(self.folder / _PLAN, msgspec.json.format(msgspec.json.encode(self.plan)))
            self.tokens = tokens
        finally:
            lock.release()

    def lock(self) -> Lock:
        """Holds the study for one server. Raises: RecordError: another one has it."""
        return Lock(self.folder)

    def journal(self) -> Journal:
        """The responses, to add to."""
        return Journal(self.folder / _RESPONSES)

    def responses(self) -> Sequence[Response]:
        """The responses so far. Raises: DamagedError."""
        return whole_lines(self.folder / _RESPONSES)

    def picture(self, number: int) -> tuple[bytes, str]:
        """A picture and its extension. Raises: RecordError: it is missing; DamagedError: it is not what its name says."""
        name = files.checked_media_name(self.plan.pictures[number].file)
        place = self.folder / _PICTURES / name
        if not place.is_file():
            return self.record.media(name), name.rpartition(".")[2]
        content = place.read_bytes()
        if files.sha256(content) != name.partition(".")[0]:
            raise DamagedError(f"The picture {place} is not what its name says. Restore it from a copy.")
        return content, name.rpartition(".")[2]


def studies(record: Record) -> list[str]:
    """Names of a record's studies, sorted."""
    return sorted(place.parent.name for place in (record.path / FOLDER).glob(f"*/{_PLAN}"))


def _folder(record: Record, name: str) -> Path:
    return record.path / FOLDER / files.checked_name(name, "study")


def _read(path: Path, kind: type[Value], record: Record) -> Value:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        have = ", ".join(studies(record)) or "none"
        raise RecordError(f"The record {record.path} has no study {path.parent.name!r}. It has: {have}.") from error
    except msgspec.DecodeError as error:
        raise DamagedError(f"{path} was altered: {error}. Restore it from a copy.") from error


def _check(plan_: Plan, path: Path) -> None:
    """Raises: DamagedError: a trial shows a picture or asks for a category that there is not."""
    checked(plan_.design, plan_.categories)
    for code, trials in plan_.observers.items():
        for place, trial in enumerate(trials):
            shown = trial.picture == -1 if trial.kind == "check" else 0 <= trial.picture < len(plan_.pictures)
            if not (shown and 0 <= trial.category < len(plan_.categories) and 0 <= trial.mask < MASKS):
                raise DamagedError(
                    f"Trial {place} of {code} in {path} cannot be. It was altered: restore it from a copy."
                )


def _write_secret(path: Path, content: bytes) -> None:
    """Writes a file that nobody but its owner may read at any moment, whole or not at all. Raises: StorageError."""
    partial = path.with_name(f".{path.name}{files.TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # of a process that was killed
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        files.settle_folder(path.parent)
    except OSError as error:
        raise files.storage_error(path, len(content), error) from error


def refuse_changes(study: Study, design: Design, given: Sequence[str]) -> None:
    """Keeps a study from being run in two ways. Raises: OptionError: what is given now is not what it began with."""
    before, now = flat(study.plan.design), flat(design)
    changed = [
        f"--{name} {_said(before[name])}, not {_said(now[name])}"
        for name in now
        if name in given and before[name] != now[name]
    ]
    if changed:
        raise OptionError(
            f"The study {study.plan.name!r} has begun with {'; '.join(changed)}. Go on with it by leaving these out, or "
            "begin another one with --study NAME."
        )


def _said(value: object) -> str:
    return {True: "on", False: "off", None: "all"}[value] if value is None or isinstance(value, bool) else str(value)


def flat(design: Design) -> dict[str, object]:
    """Every setting by its name."""
    values: dict[str, object] = msgspec.to_builtins(design)
    timing = values.pop("timing")
    assert isinstance(timing, dict)  # noqa: S101 - of our own making
    return {**values, **timing}
