"""The built app, taken apart for an exported file: its scripts, its styles and the markup they start from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from pellucid.errors import OptionError

_CLOSED_BY_NOTHING = {"link", "meta"}


@dataclass(frozen=True, slots=True)
class Shell:
    """Texts that can stand between script and style tags as they are, and the body's own markup."""

    scripts: list[str]
    styles: list[str]
    body: str


@dataclass
class _Index(HTMLParser):
    """Reads index.html as vite writes it."""

    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    inside: bool = False
    skipping: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=False)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "script":
            self.skipping = True
            if values.get("src"):
                self.scripts.append(str(values["src"]))
        elif tag == "link" and "stylesheet" in (values.get("rel") or ""):
            self.styles.append(str(values.get("href")))
        elif tag == "body":
            self.inside = True
        elif self.inside and tag not in _CLOSED_BY_NOTHING:
            self.body.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self.skipping = False
        elif tag == "body":
            self.inside = False
        elif self.inside:
            self.body.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.inside and not self.skipping:
            self.body.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


def read_shell(app: Path) -> Shell:
    """The app at a folder that vite has built.

    Raises: OptionError: it is not there, or is not made of files beside its index.html.
    """
    index = _Index()
    index.feed(_text(app, "index.html"))
    index.close()
    if not index.scripts:
        raise OptionError(f"{app / 'index.html'} starts no script: this is not the built app. Build it again: make app")
    return Shell(
        scripts=[_script(_text(app, source)) for source in index.scripts],
        styles=[_style(_text(app, source)) for source in index.styles],
        body="".join(index.body).strip(),
    )


def _text(app: Path, source: str) -> str:
    path = app / re.sub(r"^(\./|/)", "", source)
    if "://" in source or source.startswith("//") or not path.resolve().is_relative_to(app.resolve()):
        raise OptionError(
            f"The app's index.html asks for {source}, which is not beside it; an export needs no network."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(
            f"The app is not built: {path} is missing. A wheel brings it along (pip install pellucid); in a checkout "
            "build it: pip install --editable ."
        ) from error
    # A browser reads line ends as one newline, and hashes what it has read.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _script(text: str) -> str:
    """JavaScript that cannot end its own tag: the letters only occur in literals, where an escape means the same."""
    text = re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)
    if "<!--" in text:
        # After "<!--" a "<script" would make the browser look for two end tags.
        text = re.sub(r"<(script)", r"\\x3C\1", text, flags=re.IGNORECASE)
    return text


def _style(text: str) -> str:
    return re.sub(r"</(style)", r"<\\/\1", text, flags=re.IGNORECASE)
