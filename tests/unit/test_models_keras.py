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
    opened = open_model(spec)
    graph = trace(opened.model, *opened.example.args)
    print(opened.name, graph.error, graph.parameters)
    for node in graph.nodes:
        if node.kind == "module":
            print(node.name, node.operation, node.outputs, node.parameters)
    names = [node.name for node in graph.nodes]
    print([(names[e.source], names[e.target]) for e in graph.edges if e.activation == "relu"])
"""


def run(folder: Path, script: str, *words: str, backend: str | None = None) -> subprocess.CompletedProcess[str]:
    """A process of its own: Keras chooses its backend once."""
    # Not imported here: it would choose its backend for the whole session.
    if find_spec("keras") is None:
        pytest.skip("the package keras is not installed")
    (folder / "nets.py").write_text(CODE)
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(folder / "keras"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if backend is not None:
        environment["KERAS_BACKEND"] = backend
    return subprocess.run(
        [sys.executable, "-c", script, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def saved(folder: Path, name: str) -> Path:
    """A model of `CODE` as Keras saves it."""
    script = f"import sys; sys.path.insert(0, ''); import nets; nets.{name}().save('{name}.keras')"
    done = run(folder, script, backend="torch")
    assert done.returncode == 0, done.stderr
    return folder / f"{name}.keras"


def test_layers_are_modules_under_their_names_from_a_file_and_from_a_function(tmp_path: Path) -> None:
    file = saved(tmp_path, "tiny")
    done = run(tmp_path, LOOK, f"keras:{file}", str(file), "nets.py:tiny")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
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
    for start, name in ((0, "tiny"), (9, "tiny"), (18, "Functional")):
        assert lines[start : start + 8] == [f"{name} {one[0]}", *one[1:]]
        assert "first.relu()" in lines[start + 8]
        assert "sum_dotted.add()" in lines[start + 8]


def test_inputs_by_name_and_of_any_length_have_an_example(tmp_path: Path) -> None:
    done = run(tmp_path, LOOK, f"keras:{saved(tmp_path, 'named')}")
    assert done.returncode == 0, done.stderr
    assert "None 0" in done.stdout.splitlines()[0]


def test_layers_that_are_code_need_trust(tmp_path: Path) -> None:
    file = saved(tmp_path, "code")
    script = "import sys; from pellucid.models import open_model; open_model(sys.argv[1], trust=len(sys.argv) > 2)"
    refused = run(tmp_path, script, f"keras:{file}")
    assert "TrustError" in refused.stderr
    assert "--trust" in refused.stderr
    assert run(tmp_path, script, f"keras:{file}", "trust").returncode == 0


@pytest.mark.parametrize("backend", ["tensorflow", "numpy"])
def test_another_backend_is_refused_in_words(tmp_path: Path, backend: str) -> None:
    file = saved(tmp_path, "tiny")
    done = run(tmp_path, "import sys; from pellucid.models import open_model; open_model(sys.argv[1])", f"keras:{file}",
               backend=backend)  # fmt: skip
    assert "ModelError" in done.stderr
    assert f"Keras runs on '{backend}' here" in done.stderr
    assert "KERAS_BACKEND=torch" in done.stderr


def test_what_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    from pellucid.models import open_model

    with pytest.raises(ModelError, match="There is no file"):
        open_model("keras:missing.keras")
    with pytest.raises(ModelError, match="There is no file"):
        open_model("missing.keras")
    (tmp_path / "net.keras").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ModelError, match="is no archive"):
        open_model(f"keras:{tmp_path / 'net.keras'}")
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
    script = "import sys; from pellucid.models import open_model; open_model(sys.argv[1])"
    assert "ModelError: Keras cannot open" in run(tmp_path, script, f"keras:{tmp_path / 'net.keras'}").stderr
    with pytest.raises(WeightsError, match="holds its own weights"):
        _with_weights(tmp_path)


def _with_weights(folder: Path) -> None:
    import torch

    from pellucid.models import open_model

    torch.save({"a": torch.zeros(1)}, folder / "w.pt")
    open_model(f"keras:{folder / 'net.keras'}", weights=folder / "w.pt")
