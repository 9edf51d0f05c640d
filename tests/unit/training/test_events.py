"""Events of TensorBoard that hold the figures."""

import numpy as np
import tensorflow as tf
from PIL import Image

from mammoflow.training import events


def test_figures_are_read_back_as_they_are(tmp_path):
    pictures = {}
    for name, shape in {"figure-1": (40, 60), "breast-regions-film": (20, 10)}.items():
        pictures[name] = np.random.default_rng(len(name)).integers(0, 256, (*shape, 3)).astype(np.uint8)
        Image.fromarray(pictures[name]).save(tmp_path / f"{name}.png")
    written = events.write_figures(tmp_path / "events", [tmp_path / f"{name}.png" for name in pictures])
    assert written == 2
    (file,) = (tmp_path / "events").iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        for value in tf.compat.v1.Event.FromString(record).summary.value:
            found[value.tag] = tf.io.decode_png(value.image.encoded_image_string).numpy()
            assert (value.image.height, value.image.width) == found[value.tag].shape[:2]
    assert set(found) == {f"figures/{name}" for name in pictures}
    for name, picture in pictures.items():
        np.testing.assert_array_equal(found[f"figures/{name}"], picture)
