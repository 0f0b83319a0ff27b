"""docs/format.md and the schema say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.record import Record, schema, typescript
from pellucid.record.tables import optional_fields, standard_fields, training_schema
from support.synthetic import synthetic_record

TEXT = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
TYPES = TEXT.partition("\n## Types\n")[2]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_record(tmp_path_factory.mktemp("docs") / "net.pellucid", examples=40, focus=2)


def table_under(heading: str) -> dict[str, str]:
    """Names and types of the table under a heading."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section, re.MULTILINE))


def test_every_struct_and_field_is_documented_with_its_type_and_nothing_else() -> None:
    documented: dict[str, dict[str, str]] = {}
    for block in TYPES.split("\n### ")[1:]:
        name, _, body = block.partition("\n")
        documented[name] = dict(re.findall(r"^- `(\w+)`: `([^`]+)`; \S", body, re.MULTILINE))
        assert body.strip().splitlines()[0].endswith("."), f"{name} begins with a sentence"
        assert len(documented[name]) == len(re.findall(r"^- ", body, re.MULTILINE)), f"a line of {name} is malformed"
    expected = {
        name: {field: struct.__annotations__[field] for field in typescript.fields(struct)}
        for name, struct in typescript.structs().items()
    }
    assert documented.keys() == expected.keys()
    for name, fields in expected.items():
        assert documented[name] == fields, name
        assert list(documented[name]) == list(fields), f"fields of {name} are in the schema's order"


def test_the_columns_of_both_tables_are_documented() -> None:
    examples = {name: " or ".join(str(one) for one in types) for name, types in standard_fields().items()}
    assert table_under("The examples table") == {
        name: kind.replace("list<item: ", "list<element: ") for name, kind in examples.items()
    }
    assert table_under("Columns that some records have") == {
        name: str(kind).replace("list<item: ", "list<element: ") for name, kind in optional_fields().items()
    }
    assert table_under("The training table") == {
        field.name: str(field.type).replace("list<item: ", "list<element: ") for field in training_schema()
    }


def test_the_schema_version_is_the_documented_one() -> None:
    assert f"`schema_version` is {schema.SCHEMA_VERSION}." in TEXT


def test_every_file_of_a_record_lies_where_the_page_says(record: Path) -> None:
    section = TEXT.partition("\n## Files\n")[2].partition("\n## ")[0]
    patterns = []
    for cell in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE):
        first, *extensions = re.findall(r"`([^`]+)`", cell)
        for path in [first, *(first.rpartition(".")[0] + extension for extension in extensions)]:
            pattern = re.escape(path).replace("000000", r"\d{6}")
            patterns.append(re.sub(r"<\w+>", r"[\\w-]+", pattern) + ("$" if not path.endswith("/") else ""))
    for place in record.rglob("*"):
        if place.is_file():
            path = place.relative_to(record).as_posix()
            assert any(re.match(pattern, path) for pattern in patterns), path


def test_the_code_on_the_page_runs(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 2
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(block.replace("net.pellucid", str(record)), namespace)  # noqa: S102 - our own page
    frame, confusion = namespace["frame"], namespace["confusion"]
    assert len(frame) == Record(record).examples().num_rows  # type: ignore[arg-type]
    assert sum(confusion["counts"]) == 40  # type: ignore[index]
