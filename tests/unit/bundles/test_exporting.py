"""An exported network answers as the model does, and is not passed on without the licence's name."""

import re
import subprocess
import sys
from pathlib import Path

import keras
import model_files
import numpy as np
import pytest
import tensorflow as tf
from configs import REPOSITORY

from mammoflow.bundles import detector, exporting, model_file
from mammoflow.commands import main

# Largest difference of a probability, in float32.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return model_files.random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def path(tmp_path, weights):
    return model_files.write(tmp_path / "a.mammoflow", weights)


@pytest.fixture
def windows():
    generator = np.random.default_rng(0)
    return generator.normal(size=(5, model_files.WINDOW, model_files.WINDOW, 1)).astype(np.float32)


def by_onnx(path, windows):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: windows})[0]


def by_openvino(path, windows):
    import openvino

    network = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return network(windows)[0]


def by_tensorflow(path, windows):
    loaded = tf.saved_model.load(path)
    return loaded.serve(windows).numpy()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "answers"), [("onnx", by_onnx), ("openvino", by_openvino), ("saved-model", by_tensorflow)]
)
def test_another_program_gets_the_same_probabilities(path, windows, tmp_path, kind, answers):
    out = tmp_path / "out"
    model = model_file.open_model(path)
    written = exporting.export(model, kind, out, ["INbreast"])
    (network,) = detector.load(model).models
    expected = network(windows, training=False).numpy()
    assert np.ptp(expected[:, 1]) > 10 * TOLERANCE
    np.testing.assert_allclose(answers(str(written), windows), expected, rtol=0, atol=TOLERANCE)
    assert "Subtract the mean of the window" in (out / "PREPROCESSING.md").read_text()
    assert (out / "MODEL-CARD.md").read_bytes() == model.read("MODEL-CARD.md")


def test_several_runs_become_their_mean(path, windows):
    first = detector.load(model_file.open_model(path)).models[0]
    second = keras.models.clone_model(first)
    both = exporting.mean([first, second])
    expected = (first(windows, training=False) + second(windows, training=False)) / 2
    np.testing.assert_allclose(both(windows, training=False), expected, atol=1e-6)


def test_a_licence_has_to_be_named(path, tmp_path, capsys):
    out = tmp_path / "out"
    assert main.main(["export", str(path), "--format", "saved-model", "--out", str(out)]) == 1
    assert "--licence 'INbreast'" in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_with_files_is_left_alone(path, tmp_path):
    with pytest.raises(ValueError, match="expected an empty folder or none"):
        exporting.export(model_file.open_model(path), "saved-model", tmp_path, ["INbreast"])


@pytest.mark.parametrize("normalization", ["gcn", "scale", "local"])
@pytest.mark.parametrize("resolution", ["original", {"mm": 0.5}, {"factor": 4}])
def test_the_description_names_every_step(normalization, resolution):
    facts = model_files.facts()
    facts["network"] |= {"normalization": normalization}
    facts["input"] |= {"resolution": resolution}
    text = exporting.preprocessing(facts)
    assert len(re.findall(r"^\d\. ", text, re.MULTILINE)) == 8
    assert "{" not in text


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_example_of_the_page_needs_only_onnxruntime(path, tmp_path):
    exporting.export(model_file.open_model(path), "onnx", tmp_path / "exported", ["INbreast"])
    page = (REPOSITORY / "docs" / "detect.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    script = Path(tmp_path, "example.py")
    script.write_text(code)
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"probability of a mass: 0\.\d+", ran.stdout.strip())
    assert set(re.findall(r"^import (\w+)", code, re.MULTILINE)) == {"numpy", "onnxruntime"}
