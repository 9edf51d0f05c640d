"""Events of TensorBoard besides those that trainings write."""

from collections.abc import Iterable
from pathlib import Path

import tensorflow as tf


def write_figures(folder: str | Path, paths: Iterable[str | Path]) -> int:
    """Write pictures as events; the tag of each is the name of its file, under ``figures``.

    Parameters
    ----------
    folder : str or Path
        Folder of the events; TensorFlow names the file in it.
    paths : iterable of str or Path
        PNG files.

    Returns
    -------
    int
        Number of pictures.
    """
    count = 0
    with tf.summary.create_file_writer(str(folder)).as_default():
        for path in map(Path, paths):
            content = path.read_bytes()
            rows, columns = tf.io.decode_png(content).shape[:2]
            # As TensorBoard's own function does, which needs TensorBoard installed.
            shown = tf.compat.v1.Summary.Image(
                height=rows, width=columns, colorspace=3, encoded_image_string=content
            )
            value = tf.compat.v1.Summary.Value(tag=f"figures/{path.stem}", image=shown)
            summary = tf.compat.v1.Summary(value=[value])
            tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=0)
            count += 1
    return count
