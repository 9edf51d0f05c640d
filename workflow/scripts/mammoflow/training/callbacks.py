"""What happens after each epoch: the history, a line of progress, TensorBoard's events, the state kept."""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mammoflow.base.logs import announce
from mammoflow.training.resume import Checkpoint

# Seconds between two lines on the terminal: after an epoch, and within one.
_PAUSE, _LONG_PAUSE = 5, 60


class Progress(keras.callbacks.Callback):
    """Rows of the history; a line in the log after every epoch, and on the terminal now and then.

    Parameters
    ----------
    title : str
        What the lines begin with.
    epochs, steps : int
        Most epochs, and steps of each.
    """

    def __init__(self, title: str, epochs: int, steps: int) -> None:
        super().__init__()
        self.title, self.epochs, self.steps = title, epochs, steps
        self.rows: list[dict[str, float]] = []
        self.training_seconds: list[float] = []
        self._said = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Look at the clock."""
        self._epoch, self._begun = epoch + 1, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Tell how far a long epoch is."""
        self._last_step = time.monotonic()
        if self._last_step - self._said >= _LONG_PAUSE:
            rest = (self._last_step - self._begun) / (batch + 1) * (self.steps - batch - 1)
            self._say(f"step {batch + 1}/{self.steps}, {_clock(rest)} left in the epoch")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add a row to the history."""
        now = time.monotonic()
        self.training_seconds.append(self._last_step - self._begun)
        row = {name.replace("val_", "validation_"): float(value) for name, value in logs.items()}
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        row |= {"learning_rate": float(rate), "seconds": now - self._begun}
        self.rows.append({"epoch": epoch + 1, **row})
        rest = np.median([row["seconds"] for row in self.rows]) * (self.epochs - epoch - 1)
        self._say(
            f"validation loss {row['validation_loss']:.3f}, Az {row['validation_az']:.3f}, "
            f"at most {_clock(rest)} left"
        )

    def _say(self, what: str) -> None:
        line = f"{self.title}: epoch {self._epoch}/{self.epochs}, {what}"
        if time.monotonic() - self._said >= _PAUSE:
            self._said = time.monotonic()
            announce(line)
        else:
            print(line)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


class Events(keras.callbacks.Callback):
    """The history as scalars that TensorBoard shows.

    Keras' own callback needs TensorBoard installed to write them; this one leaves it to those who look.

    Parameters
    ----------
    folder : Path
        Events that lie there are of an earlier attempt and are removed; where training goes on from a
        kept state, the epochs before it are written again.
    progress : Progress
        Whose rows are written; it comes before this callback in the list.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        super().__init__()
        self.folder, self.progress, self._written = folder, progress, 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin a new file."""
        for old in self.folder.glob("events.out.tfevents.*"):
            old.unlink()
        with self._room():
            self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the rows that are not written yet."""
        with self._room(), self._writer.as_default():
            for row in self.progress.rows[self._written :]:
                for name, value in row.items():
                    tf.summary.write(name, tf.constant(value), step=row["epoch"], metadata=_SCALAR)
            self._writer.flush()
        self._written = len(self.progress.rows)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the file."""
        with self._room():
            self._writer.close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """What TensorFlow says of a full disk, in one sentence."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            told = f"{self.folder}: expected room for TensorBoard's events, got a full disk; make room"
            raise OSError(errno.ENOSPC, told) from error


# What TensorBoard's own writer of scalars says of them.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)


class Keep(keras.callbacks.Callback):
    """The state of a training after each whole epoch, so that the next run goes on from it.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where the state is kept.
    progress : Progress
    stopping : keras.callbacks.EarlyStopping
        Other callbacks whose state is kept; they come before this one in the list.

    Attributes
    ----------
    epoch : int
        Whole epochs that lie behind; 0 where nothing was kept.
    stopped : bool
        Whether early stopping had ended the training.
    """

    def __init__(
        self, checkpoint: Checkpoint, progress: Progress, stopping: keras.callbacks.EarlyStopping
    ) -> None:
        super().__init__()
        self.checkpoint, self.progress, self.stopping = checkpoint, progress, stopping
        self._found = checkpoint.read()
        facts = self._found[0] if self._found else {"epoch": 0, "stopped": False}
        self.epoch, self.stopped = facts["epoch"], facts["stopped"]

    def _variables(self) -> list[keras.Variable]:
        """Weights, statistics and random states of the network, and everything of the optimiser."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Put everything back; early stopping has just reset itself."""
        if self._found is None:
            return
        facts, arrays = self._found
        self._found = None
        announce(f"{self.progress.title}: goes on after epoch {self.epoch}, which an earlier job reached")
        for variable, value in zip(self._variables(), arrays["variables"], strict=True):
            variable.assign(value)
        self.progress.rows, self.progress.training_seconds = facts["rows"], facts["training_seconds"]
        for name, value in facts["stopping"].items():
            setattr(self.stopping, name, value)
        # Kept apart only where the last epoch was not the best.
        self.stopping.best_weights = arrays.get("best", self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the state."""
        stopping = self.stopping
        facts = {
            "epoch": epoch + 1,
            "stopped": self.model.stop_training,
            "rows": self.progress.rows,
            "training_seconds": self.progress.training_seconds,
            "stopping": {name: getattr(stopping, name) for name in ("wait", "best", "best_epoch")},
        }
        arrays = {"variables": [keras.ops.convert_to_numpy(variable) for variable in self._variables()]}
        if stopping.best_epoch != epoch:
            arrays["best"] = stopping.best_weights
        self.checkpoint.write(facts, arrays)
