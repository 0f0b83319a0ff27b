"""The program `pellucid`, run in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pellucid.cli import main
from support.modules import forget

COMMAND = [sys.executable, "-W", "error", "-c", "from pellucid.cli import main; main()"]
PATIENCE = 60.0  # seconds until a test that waits for the program gives up


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document that it printed."""
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """What it said when it refused: that it did, that nothing else was printed, and that no traceback was."""
        assert self.code == 2, (self.code, self.err)
        assert self.out == ""
        assert self.err.startswith("pellucid: ")
        assert "Traceback" not in self.err
        return self.err.removeprefix("pellucid: ").rstrip()


Program = Callable[..., Ended]


def in_process(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs the program here: quick, with the imports that are already made. What it imports of a user's is let go."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["pellucid", *map(str, arguments)])
            patch.setattr(sys, "path", list(sys.path))
            try:
                with pytest.raises(SystemExit) as ended:
                    main()
            finally:
                forget(Path.cwd())
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, *capfd.readouterr())

    return run


def alone(*arguments: object, folder: Path, **environment: str) -> Ended:
    """Runs the program in a process of its own, to its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, **environment},
        timeout=PATIENCE,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
