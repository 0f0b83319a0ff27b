"""Models of Keras 3 on torch: from a file, from a function, traced with their layers' names; and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from pellucid.errors import ModelError, WeightsError

CODE = """
import keras
import numpy as np
from keras import layers

def tiny():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    y = layers.Conv2D(4, 3, padding="same", name="second")(x)
    x = layers.MaxPooling2D(name="pool")(layers.Add(name="sum.dotted")([x, y]))
    inner = keras.Sequential([keras.Input((3, 3, 4)), layers.Flatten(name="flat"), layers.Dense(5, name="dense")], name="head")
    return keras.Model(inputs, inner(x), name="tiny")

def named():
    left, right = keras.Input((4,), name="left"), keras.Input((None, 2), name="right")
    return keras.Model({"left": left, "right": right}, layers.Concatenate()([left, layers.GlobalMaxPooling1D()(right)]))

def seeded():
    inputs = keras.Input((6, 4))
    x = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(inputs))
    x = layers.MultiHeadAttention(2, 4, dropout=0.5)(x, x)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
    model.compile(loss="mse", metrics=["mae"])
    model.fit(np.zeros((2, 6, 4)), np.zeros((2, 3)), verbose=0)
    print("counted", model.count_params(), sum(variable.value.numel() for variable in model.trainable_weights))
    return model

def code():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Lambda(lambda x: x * 2)(inputs))
"""

LOOK = """
import sys
import torch
from pellucid.graph import trace
from pellucid.models import open_model

torch.set_num_threads(1)
for spec in sys.argv[1:]:
    spec, trusted, _ = spec.partition("!")
    print("== " + spec)
    try:
        opened = open_model(spec, trust=bool(trusted))
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
        continue
    graph = trace(opened.model, *opened.example.args)
    print(opened.name, graph.error, graph.parameters)
    for node in graph.nodes:
        if node.kind == "module":
            print(node.name, node.operation, node.outputs, node.parameters)
    names = [node.name for node in graph.nodes]
    print([(names[e.source], names[e.target]) for e in graph.edges if e.activation == "relu"])
    print("traced", graph.parameters, graph.trainable, graph.unused)
"""
SAVE = """
import sys
sys.path.insert(0, "")
import nets
for name in ("tiny", "named", "code"):
    getattr(nets, name)().save(f"{name}.keras")
"""


def run(folder: Path, script: str, *words: str, backend: str | None = None) -> str:
    """What a process of its own prints: Keras chooses its backend once, and takes long to start."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(folder / "keras"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if backend is not None:
        environment["KERAS_BACKEND"] = backend
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of `CODE` as Keras saves them, and an archive that is none of its files."""
    # Not imported here: it would choose its backend for the whole session.
    if find_spec("keras") is None:
        pytest.skip("the package keras is not installed")
    folder = tmp_path_factory.mktemp("keras")
    (folder / "nets.py").write_text(CODE)
    run(folder, SAVE, backend="torch")
    with zipfile.ZipFile(folder / "net.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    return folder


@pytest.fixture(scope="module")
def looked(folder: Path) -> dict[str, list[str]]:
    """What is printed of each model, by the name under which it is opened."""
    names = [
        "keras:tiny.keras",
        "tiny.keras",
        "nets.py:tiny",
        "nets.py:seeded",
        "named.keras",
        "code.keras",
        "./code.keras!",
        "net.keras",
    ]
    printed = run(folder, LOOK, *names)
    return {spec: lines.splitlines() for spec, _, lines in (part.partition("\n") for part in printed.split("== ")[1:])}


def test_layers_are_modules_under_their_names_from_a_file_and_from_a_function(looked: dict[str, list[str]]) -> None:
    one = [
        "None 445",
        "first Conv2D ((1, 6, 6, 4),) 112",
        "second Conv2D ((1, 6, 6, 4),) 148",
        "sum_dotted Add ((1, 6, 6, 4),) 0",
        "pool MaxPooling2D ((1, 3, 3, 4),) 0",
        "head Sequential ((1, 5),) 185",
        "head.flat Flatten ((1, 36),) 0",
        "head.dense Dense ((1, 5),) 185",
    ]
    for spec, name in (("keras:tiny.keras", "tiny"), ("tiny.keras", "tiny"), ("nets.py:tiny", "Functional")):
        lines = looked[spec]
        assert lines[:8] == [f"{name} {one[0]}", *one[1:]]
        assert "first.relu()" in lines[8]
        assert "sum_dotted.add()" in lines[8]


def test_inputs_by_name_and_of_any_length_have_an_example(looked: dict[str, list[str]]) -> None:
    assert "None 0" in looked["named.keras"][0]


def test_seeds_and_metrics_are_no_parameters(looked: dict[str, list[str]]) -> None:
    counted = next(line for line in looked["nets.py:seeded"] if line.startswith("counted"))
    assert looked["nets.py:seeded"][-1] == f"{counted.replace('counted', 'traced')} ()"


def test_a_plain_path_is_traced_and_not_read_as_a_file_of_operations(folder: Path) -> None:
    from pellucid.graph.importers import is_graph_file, read_graph

    assert not is_graph_file(str(folder / "tiny.keras"))
    with pytest.raises(ModelError, match="Open it as 'keras:"):
        read_graph(folder / "tiny.keras")
    printed = run(folder, "from pellucid.cli import main; main()", "graph", "tiny.keras")
    assert "445 parameters" in printed


def test_layers_that_are_code_need_trust(looked: dict[str, list[str]]) -> None:
    assert looked["code.keras"][0].startswith("TrustError: ")
    assert "--trust" in looked["code.keras"][0]
    assert "None 0" in looked["./code.keras"][0]


@pytest.mark.parametrize("backend", ["tensorflow", "numpy"])
def test_another_backend_is_refused_in_words(folder: Path, backend: str) -> None:
    printed = run(folder, LOOK, "tiny.keras", backend=backend)
    assert "ModelError" in printed
    assert f"Keras runs on '{backend}' here" in printed
    assert "KERAS_BACKEND=torch" in printed


def test_an_archive_that_keras_did_not_write_is_refused(looked: dict[str, list[str]]) -> None:
    assert looked["net.keras"][0].startswith("ModelError: Keras cannot open")


def test_what_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    import torch

    from pellucid.models import open_model

    for spec in ("keras:missing.keras", "missing.keras"):
        with pytest.raises(ModelError, match="There is no file"):
            open_model(spec)
    file = tmp_path / "net.keras"
    file.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ModelError, match="is no archive"):
        open_model(f"keras:{file}")
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="holds its own weights"):
        open_model(f"keras:{file}", weights=tmp_path / "w.pt")
