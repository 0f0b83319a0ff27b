"""The command line; `main` is the program `pellucid`. Nothing heavy is imported before a command needs it."""

from pellucid.cli.application import main

__all__ = ["main"]
