"""The exported file holds the record, only the record, and nothing of it as markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from safetensors.numpy import load

from pellucid.errors import OptionError, StorageError
from pellucid.export import DATA_TYPE, export
from pellucid.record import Record, Writer, schema
from support.parts import examples_part
from support.scene import HOSTILE

SCRIPT = 'const a = "</script>", b = `<!-- <SCRIPT>`;\r\nconsole.log(a, b, "é");'
STYLE = "body{margin:0}\n/* </style> */"
INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>pellucid</title>
<script type="module" crossorigin src="./assets/app.js"></script>
<link rel="modulepreload" href="./assets/app.js">
<link rel="stylesheet" crossorigin href="./assets/app.css"></head>
<body><div id="app" class="a &amp; b"></div><noscript>The app needs JavaScript.</noscript></body></html>
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("app")
    (root / "assets").mkdir()
    (root / "index.html").write_text(INDEX, encoding="utf-8")
    (root / "assets" / "app.js").write_bytes(SCRIPT.encode())
    (root / "assets" / "app.css").write_text(STYLE, encoding="utf-8")
    return root


class Page(HTMLParser):
    """Every tag with its attributes and the text inside it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}
        self.comments: list[str] = []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = True
        assert len(dict(attrs)) == len(attrs)

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[len(self.tags) - 1] = self.texts.get(len(self.tags) - 1, "") + data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def text_of(self, tag: str) -> list[str]:
        return [self.texts.get(number, "") for number, (name, _) in enumerate(self.tags) if name == tag]

    def entries(self) -> dict[str, bytes]:
        found = [
            (str(values["data-path"]), gzip.decompress(base64.b64decode(self.texts[number])))
            for number, (name, values) in enumerate(self.tags)
            if name == "script" and values.get("type") == DATA_TYPE
        ]
        assert len(found) == len(dict(found))
        return dict(found)


def test_the_file_holds_what_the_server_would_send(whole: Path, app: Path, tmp_path: Path) -> None:
    report = export(whole, tmp_path / "out.html", app_dir=app, limit_bytes=50_000_000)
    record, entries = Record(whole), Page((tmp_path / "out.html").read_text("utf-8")).entries()
    assert report.bytes == (tmp_path / "out.html").stat().st_size
    assert report.left_out == []
    assert msgspec.json.decode(entries.pop("left_out")) == []
    assert msgspec.json.decode(entries.pop("manifest"), type=schema.Manifest) == record.manifest
    assert msgspec.json.decode(entries.pop("summary"), type=schema.Summary) == record.summary()
    assert pa.ipc.open_stream(entries.pop("examples")).read_all().equals(record.examples())
    assert pa.ipc.open_stream(entries.pop("training")).read_all().equals(record.training()[0])
    for name in record.panels:
        assert msgspec.json.decode(entries.pop(f"panels/{name}"), type=schema.AnyPanel) == record.panel(name)
        for tensor in record.arrays(name):
            stored = load(entries.pop(f"arrays/{name}/{tensor}"))
            assert list(stored) == [tensor]
            assert stored[tensor].tobytes() == record.array(name, tensor).tobytes()
    for row in record.focused:
        assert entries.pop(f"focus/{row}") == record.focus_bytes(row)
    for name in record.examples()["media"].to_pylist():
        assert entries.pop(f"media/{name}") == record.media(name)
    assert entries == {}


def test_the_policy_names_exactly_the_apps_script_and_style(whole: Path, app: Path, tmp_path: Path) -> None:
    export(whole, tmp_path / "out.html", app_dir=app)
    text = (tmp_path / "out.html").read_text("utf-8")
    page = Page(text)
    (policy,) = [values["content"] for name, values in page.tags if values.get("http-equiv")]
    assert policy is not None
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    programs = [page.texts[n] for n, (name, values) in enumerate(page.tags) if values.get("type") == "module"]
    # Python's parser ends a script at the first end tag, as a browser does; what it holds must be the whole program.
    assert programs == ['const a = "<\\/script>", b = `<!-- \\x3CSCRIPT>`;\nconsole.log(a, b, "é");']
    (style,) = page.text_of("style")
    for directive, content in (("script-src", programs[0]), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"
    assert directives["default-src"] == "'none'"
    assert directives["img-src"] == "data: blob:"
    assert directives["worker-src"] == "blob:", "the layout's worker is made of the app's own text"
    assert "unsafe" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert '<div id="app" class="a &amp; b"></div><noscript>' in text
    outside = [values for _, values in page.tags if {"src", "href", "action"} & set(values)]
    assert outside == [{"rel": "icon", "href": "data:,"}]
    assert not re.search(r"https?://", text)


def test_hostile_names_leave_no_markup(hostile: Path, app: Path, tmp_path: Path) -> None:
    export(hostile, tmp_path / "out.html", app_dir=app)
    text = (tmp_path / "out.html").read_text("utf-8")
    page = Page(text)
    assert {name for name, _ in page.tags} == {
        "html", "head", "meta", "link", "title", "style", "body", "div", "noscript", "script"
    }  # fmt: skip
    assert page.comments == []
    assert page.text_of("title")[0].strip() == f"hostile {HOSTILE[0]}"
    assert "<img" not in text
    # Nothing of a name stands in the file but in its title: all else is base64, or the app's own.
    rest = text.replace("onerror=alert(1)&gt;</title>", "</title>")
    for fragment in ("onerror", "alert(1)", "\u202e", "passwd", "javascript:"):
        assert fragment not in rest
    classes = msgspec.json.decode(page.entries()["panels/confusion"], type=schema.ConfusionPanel).classes
    assert classes == list(HOSTILE)


def test_a_file_of_the_record_and_a_folder_are_not_replaced(whole: Path, app: Path, tmp_path: Path) -> None:
    before = (whole / "manifest.json").read_bytes()
    with pytest.raises(OptionError, match="lies in the record"):
        export(whole, whole / "manifest.json", app_dir=app)
    assert (whole / "manifest.json").read_bytes() == before
    with pytest.raises(OptionError, match="is a folder"):
        export(whole, tmp_path, app_dir=app)


def test_the_same_record_gives_the_same_bytes(whole: Path, app: Path, tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        export(whole, tmp_path / name, app_dir=app, limit_bytes=400_000)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


@pytest.mark.parametrize("limit", [150_000, 300_000, 600_000, 1_000_000])
def test_the_limit_holds_and_what_was_left_out_is_said(whole: Path, app: Path, tmp_path: Path, limit: int) -> None:
    report = export(whole, tmp_path / "out.html", app_dir=app, limit_bytes=limit)
    assert report.bytes <= limit
    entries = Page((tmp_path / "out.html").read_text("utf-8")).entries()
    assert msgspec.json.decode(entries["left_out"]) == report.left_out
    record = Record(whole)
    assert {f"panels/{name}" for name in record.panels} | {"manifest", "summary", "examples"} <= set(entries)
    looks = sum(path.startswith("focus/") for path in entries)
    pictures = sum(path.startswith("media/") for path in entries)
    said = " ".join(report.left_out)
    names = set(record.examples()["media"].to_pylist())
    for missing, words in (
        (len(record.focused) - looks, f"of {len(record.focused)} closer looks"),
        (len(names) - pictures, f"of {len(names)} pictures"),
    ):
        assert (f"{missing} {words}" in said) if missing else (words not in said)
    if limit == 150_000:
        assert looks < len(record.focused)


def test_closer_looks_come_in_the_order_of_the_panel_and_with_their_pictures(
    whole: Path, app: Path, tmp_path: Path
) -> None:
    export(whole, tmp_path / "out.html", app_dir=app, limit_bytes=500_000)
    entries = list(Page((tmp_path / "out.html").read_text("utf-8")).entries())
    record = Record(whole)
    panel = record.panel("gradients")
    assert isinstance(panel, schema.GradientsPanel)
    order = [f"focus/{one.row}" for one in panel.examples]
    looks = [path for path in entries if path.startswith("focus/")]
    assert looks == [path for path in order if path in looks]
    media = record.examples()["media"].to_pylist()
    pictures = [path for path in entries if path.startswith("media/")]
    assert pictures[: len(order)] == [f"media/{media[one.row]}" for one in panel.examples]


def test_fewer_examples_are_said_too(whole: Path, app: Path, tmp_path: Path) -> None:
    report = export(whole, tmp_path / "out.html", app_dir=app, examples=10)
    entries = Page((tmp_path / "out.html").read_text("utf-8")).entries()
    assert pa.ipc.open_stream(entries["examples"]).read_all().num_rows == 10
    assert "290 of 300 rows of the examples table." in report.left_out


def test_large_pictures_are_made_smaller_before_any_is_left_out(app: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with Writer.create(tmp_path / "r", schema.Manifest()) as writer:
        names = []
        for _ in range(4):
            stream = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (160, 120, 3), dtype=np.uint8)).save(stream, "png")
            names.append(writer.write_media(stream.getvalue(), "png"))
        names.append(writer.write_media(b"no picture at all", "png"))
        table = examples_part(0, 5)
        writer.write_part(0, table.set_column(table.schema.get_field_index("media"), "media", [names]), {})
    report = export(tmp_path / "r", tmp_path / "out.html", app_dir=app, limit_bytes=100_000)
    assert report.left_out == ["The full size of 4 pictures: they are at most 64 pixels a side here."]
    entries = Page((tmp_path / "out.html").read_text("utf-8")).entries()
    for name in names[:4]:
        with Image.open(io.BytesIO(entries[f"media/{name}"])) as image:
            assert image.size == (48, 64)
    assert entries[f"media/{names[4]}"] == b"no picture at all"


def test_small_pictures_become_jpeg_before_any_is_left_out_unless_something_shines_through(
    app: Path, tmp_path: Path
) -> None:
    down, across = np.mgrid[0:32, 0:32]
    noise = np.random.default_rng(0).normal(0, 6, (8, 32, 32, 3))
    shades = np.stack([4 * down + 3 * across, 6 * down, 200 - 5 * across], axis=2)
    pixels = (shades + noise).clip(0, 255).astype(np.uint8)
    clear = np.concatenate([pixels[:1], np.full((1, 32, 32, 1), 128, np.uint8)], axis=3)
    with Writer.create(tmp_path / "r", schema.Manifest()) as writer:
        contents = []
        for picture in [*pixels, *clear]:
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "png")
            contents.append(stream.getvalue())
        names = [writer.write_media(content, "png") for content in contents]
        table = examples_part(0, 9)
        writer.write_part(0, table.set_column(table.schema.get_field_index("media"), "media", [names]), {})
    full = export(tmp_path / "r", tmp_path / "out.html", app_dir=app)
    assert full.left_out == []
    report = export(tmp_path / "r", tmp_path / "out.html", app_dir=app, limit_bytes=full.bytes - 1000)
    assert report.left_out == ["The last shades of 8 pictures: they are compressed as JPEG here."]
    entries = Page((tmp_path / "out.html").read_text("utf-8")).entries()
    for name, whole in zip(names[:8], pixels, strict=True):
        with Image.open(io.BytesIO(entries[f"media/{name}"])) as image:
            assert image.format == "JPEG"
            assert np.sqrt(np.mean((np.asarray(image, float) - whole) ** 2)) < 5
    assert entries[f"media/{names[8]}"] == contents[8]


def test_a_record_cut_short_is_exported_with_what_it_has(app: Path, tmp_path: Path) -> None:
    with Writer.create(tmp_path / "r", schema.Manifest(watched=True)):
        pass
    report = export(tmp_path / "r", tmp_path / "out.html", app_dir=app)
    entries = Page((tmp_path / "out.html").read_text("utf-8")).entries()
    assert set(entries) == {"manifest", "summary", "examples", "left_out"}
    assert msgspec.json.decode(entries["summary"], type=schema.Summary).state == "interrupted"
    with Writer.open(tmp_path / "r") as writer:
        table = examples_part(0, 1)
        column = pa.array(["0" * 64 + ".png"])
        writer.write_part(0, table.set_column(table.schema.get_field_index("media"), "media", column), {})
    report = export(tmp_path / "r", tmp_path / "out.html", app_dir=app)
    assert report.left_out == ["1 of 1 pictures of examples."]


def test_an_app_that_is_not_built_or_reaches_outside_is_refused(whole: Path, app: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"app is not built: .*index.html is missing"):
        export(whole, tmp_path / "out.html", app_dir=tmp_path / "nothing")
    for source in ("https://example.org/app.js", "//example.org/app.js", "../../app.js"):
        (tmp_path / "index.html").write_text(INDEX.replace("./assets/app.js", source))
        with pytest.raises(OptionError, match="needs no network"):
            export(whole, tmp_path / "out.html", app_dir=tmp_path)
    (tmp_path / "index.html").write_text("<p>hello</p>")
    with pytest.raises(OptionError, match="starts no script"):
        export(whole, tmp_path / "out.html", app_dir=tmp_path)
    with pytest.raises(OptionError, match="must be positive; got 0 bytes"):
        export(whole, tmp_path / "out.html", app_dir=app, limit_bytes=0)
    with pytest.raises(StorageError):
        export(whole, tmp_path / "index.html" / "out.html", app_dir=app)
    assert not (tmp_path / "out.html").exists()


def test_folders_of_the_maker_s_machine_stay_there(tmp_path: Path, app: Path) -> None:
    model = schema.ModelInfo("Net", "/home/alice/secret/net.py:make", "f", 1, 1, 4, "C:\\\\Users\\\\alice\\\\w.pt")
    manifest = schema.Manifest(
        title="Net on /data/alice/pets by /home/alice/secret/deep/x.py", task="classification", model=model,
        data=schema.DataInfo("pets", "/data/alice/pets/", "f", 3), options={"loss": "/opt/alice/loss.py:mine"},
    )  # fmt: skip
    with Writer.create(tmp_path / "r.pellucid", manifest) as writer, writer.sealing():
        writer.write_part(0, examples_part(0, 3), {})
    out = tmp_path / "r.html"
    export(tmp_path / "r.pellucid", out, app_dir=app)
    text = out.read_text(encoding="utf-8")
    packed = re.findall(r'data-path="(?:manifest|summary)">([^<]+)<', text)
    told = b"".join(gzip.decompress(base64.b64decode(one)) for one in packed).decode()
    assert len(packed) == 2
    assert "alice" not in told + text.partition("</title>")[0]
    assert str(tmp_path) not in told
    for kept in ('"net.py:make"', '"w.pt"', '"pets/"', '"loss.py:mine"', "Net on pets by deep/x.py"):
        assert kept in told, kept
