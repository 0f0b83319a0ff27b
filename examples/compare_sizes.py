"""Two networks of different size on CIFAR-10, and a stranger's predictions, compared on the same 10,000 test images.

    python examples/compare_sizes.py cifar10/ sizes/     # train.parquet and test.parquet, Hugging Face layout
    pellucid open sizes/compared.pellucid

The stranger's answers come from the column `reference_probabilities` of test.parquet, where it has one. About ten minutes on two
cores.
"""

import argparse
from pathlib import Path

import pyarrow.parquet as pq
from cifar10 import CLASSES, RECIPE, train

import pellucid
from pellucid.data import open_data

WIDTHS = (8, 32)
STRANGER = "reference_probabilities"


def main(data: Path, out: Path, epochs: int = 3, limit: int | None = None) -> pellucid.Comparison:
    """Trains, inspects and imports what is not there yet; compares the narrow network with the others."""
    out.mkdir(parents=True, exist_ok=True)
    test = data / "test.parquet"
    paths = []
    for width in WIDTHS:
        paths.append(out / f"width{width}.pellucid")
        if not paths[-1].exists():
            model = train(data, paths[-1], epochs, width, title=f"VGG of width {width}")
            source = open_data(str(test), recipe=RECIPE, limit=limit)
            pellucid.inspect(model, source, out=paths[-1], classes=CLASSES, title=f"VGG of width {width}")
    table = pq.read_table(test)
    if STRANGER in table.column_names:
        paths.append(out / "stranger.pellucid")
        columns = ["id", "image", "label", STRANGER]
        kept = table.select(columns) if limit is None else table.select(columns).slice(0, limit)
        pellucid.import_predictions(
            kept, "label", out=paths[-1], column=STRANGER, classes=CLASSES, title="a stranger", overwrite=True
        )
    found = pellucid.compare(*paths, out=out / "compared.pellucid", overwrite=True)
    for finding in found.panel.findings:
        print(finding.severity, finding.sentence)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder of train.parquet and test.parquet")
    parser.add_argument("out", type=Path, help="folder for the records")
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    main(asked.data, asked.out, asked.epochs)
