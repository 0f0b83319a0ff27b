"""The app's types are those of the schema."""

from __future__ import annotations

from pathlib import Path

from pellucid.record import schema, typescript

GENERATED = Path(__file__).parents[2] / "web" / "src" / "record" / "schema.gen.ts"


def test_the_generated_file_is_fresh() -> None:
    assert GENERATED.read_text(encoding="utf-8") == typescript.generate(), (
        "run: python -m pellucid.record.typescript > web/src/record/schema.gen.ts"
    )


def test_every_struct_and_field_is_there() -> None:
    text = typescript.generate()
    for name, struct in typescript.structs().items():
        _, _, rest = text.partition(f"export interface {name} ")
        body = rest.partition("\n}\n")[0]
        for field in typescript.fields(struct):
            assert f"\n  {field}: " in body, f"{name}.{field}"


def test_panels_are_told_apart_by_their_lens() -> None:
    text = typescript.generate()
    assert 'export interface LossPanel extends Panel {\n  lens: "loss";' in text
    assert "export interface Panel {\n  lens: string;\n  count: number;\n  findings: Finding[];" in text
    assert "evidence: Record<string, string | number | null>;" in text
    assert "inputs: number[][];" in text
    assert len(typescript.structs()) == len(
        [
            value
            for value in vars(schema).values()
            if isinstance(value, type) and value.__module__.startswith(schema.__name__)
        ]
    )
