"""docs/cli.md and the program know the same commands, flags, defaults and exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from pellucid import errors
from pellucid.cli import application, compare
from pellucid.record import schema

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
PROGRAM: Any = typer.main.get_command(application.application)
GROUPS: dict[str, Any] = {name: one for name, one in PROGRAM.commands.items() if hasattr(one, "commands")}
COMMANDS: dict[str, Any] = {name: one for name, one in PROGRAM.commands.items() if name not in GROUPS} | {
    f"{group} {name}": one for group, inside in GROUPS.items() for name, one in inside.commands.items()
}
SECTIONS = {
    heading: body for heading, _, body in (section.partition("\n") for section in TEXT.split("\n## ")[1:])
}  # the text under each heading


def rows(section: str) -> dict[str, tuple[tuple[str, ...], str, str]]:
    """The table of flags under a heading: by first flag, all its spellings, what it takes and its default."""
    found = {}
    for line in re.findall(r"^\| (`--.*) \|$", SECTIONS[section], re.MULTILINE):
        flags, takes, default, meaning = (cell.strip() for cell in re.split(r"(?<!\\)\|", line))
        assert meaning
        spelled = tuple(re.findall(r"`(-[\w-]+|--[\w-]+)`", flags))
        assert spelled[0] not in found
        found[spelled[0]] = (spelled, takes.replace("\\|", "|"), default)
    return found


def option_of(command: str) -> dict[str, Any]:
    return {param.opts[0]: param for param in COMMANDS[command].params if param.param_type_name == "option"}


def test_the_page_has_the_commands_of_the_program_and_no_others() -> None:
    listed = re.findall(r"^\| \[`([\w ]+)`\]\(#([\w-]+)\) \|", TEXT, re.MULTILINE)
    assert [anchor for _, anchor in listed] == [name.replace(" ", "-") for name, _ in listed]
    assert [name for name, _ in listed] == list(COMMANDS)
    assert list(SECTIONS) == ["How it ends", *COMMANDS]
    assert all(f"`pellucid {option.opts[0]}`" in TEXT for option in PROGRAM.params)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_a_command_is_documented_and_no_other(command: str) -> None:
    documented = {name: spelled for name, (spelled, _, _) in rows(command).items()}
    assert documented == {name: tuple(option.opts) for name, option in option_of(command).items()}
    assert list(documented) == list(option_of(command)), "in the order of --help"


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_flag_takes_and_its_default_are_those_of_the_program(command: str) -> None:
    for name, option in option_of(command).items():
        _, takes, default = rows(command)[name]
        if option.is_flag:
            assert takes == "", name
            assert default in ("off", "the record's"), name
            continue
        if option.metavar is not None:
            assert takes == f"`{option.metavar}`", name
        if option.required:
            assert default == "required", name
        elif option.default is None:
            assert default in ("none", "all", "made anew") or re.match(r"(what )?the (model|data|record)", default), (
                name
            )
        else:
            assert default.strip("`") == str(option.default).removesuffix(".0"), name


@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_line_shows_what_must_be_given(command: str) -> None:
    words = SECTIONS[command].strip().splitlines()[0].strip("`").split()
    assert words[: 1 + len(command.split())] == ["pellucid", *command.split()]
    needed = {param.metavar for param in COMMANDS[command].params if param.param_type_name == "argument"}
    needed |= {name for name, option in option_of(command).items() if option.required}
    assert needed <= set(words)
    assert {word for word in words if word.startswith("--")} <= needed


def test_exit_codes_are_those_of_the_program() -> None:
    codes = re.findall(r"^\| (\d+) \|", SECTIONS["How it ends"], re.MULTILINE)
    assert codes == ["0", str(compare.FAILED), str(application.REFUSED), str(application.INTERRUPTED)]


def test_the_error_on_the_page_is_one() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    shown = msgspec.json.decode(block, type=schema.ErrorAnswer)
    assert issubclass(getattr(errors, shown.kind), errors.PellucidError)
    assert list(json.loads(block)) == list(schema.ErrorAnswer.__struct_fields__)


def test_links_into_other_pages_lead_somewhere() -> None:
    for page, anchor in re.findall(r"\]\((\w+\.md)(?:#([\w-]+))?\)", TEXT):
        text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
        headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert not anchor or anchor in headings, (page, anchor)


def test_the_fields_of_the_summary_on_the_page_are_fields_of_it() -> None:
    named = re.search(r"print a \[Summary\][^:]*: (.*), \.\.\.", SECTIONS["show"])
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named.group(1))) <= set(schema.Summary.__struct_fields__)
