"""Callbacks that record the history, report progress, write TensorBoard events and keep the state."""

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

# Seconds between two lines on the terminal: after an epoch, and during a long epoch.
_PAUSE, _LONG_PAUSE = 5, 60


class Progress(keras.callbacks.Callback):
    """Records the history; prints a line to the log after every epoch and occasionally to the terminal.

    Parameters
    ----------
    title : str
        Beginning of each line.
    epochs, steps : int
        Maximum number of epochs, and number of steps per epoch.
    """

    def __init__(self, title: str, epochs: int, steps: int) -> None:
        super().__init__()
        self.title, self.epochs, self.steps = title, epochs, steps
        self.rows: list[dict[str, float]] = []
        self.training_seconds: list[float] = []
        self._last_announced = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Record the start time of the epoch."""
        self._epoch, self._begun = epoch + 1, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Report progress within a long epoch."""
        self._last_step = time.monotonic()
        if self._last_step - self._last_announced >= _LONG_PAUSE:
            rest = (self._last_step - self._begun) / (batch + 1) * (self.steps - batch - 1)
            self._report(f"step {batch + 1}/{self.steps}, {_clock(rest)} left in the epoch")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Add a row to the history."""
        now = time.monotonic()
        self.training_seconds.append(self._last_step - self._begun)
        row = {name.replace("val_", "validation_"): float(value) for name, value in logs.items()}
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        row |= {"learning_rate": float(rate), "seconds": now - self._begun}
        self.rows.append({"epoch": epoch + 1, **row})
        rest = np.median([row["seconds"] for row in self.rows]) * (self.epochs - epoch - 1)
        self._report(
            f"validation loss {row['validation_loss']:.3f}, Az {row['validation_az']:.3f}, "
            f"at most {_clock(rest)} left"
        )

    def _report(self, message: str) -> None:
        line = f"{self.title}: epoch {self._epoch}/{self.epochs}, {message}"
        if time.monotonic() - self._last_announced >= _PAUSE:
            self._last_announced = time.monotonic()
            announce(line)
        else:
            print(line)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


class Events(keras.callbacks.Callback):
    """Writes the history as scalars for TensorBoard.

    Keras' callback needs TensorBoard to write them; with this one only viewing them needs TensorBoard.

    Parameters
    ----------
    folder : Path
        Folder of the events. Events of an earlier attempt are removed; if training resumes from a kept
        state, the epochs before it are written again.
    progress : Progress
        Callback whose rows are written; it must come before this callback in the list.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        super().__init__()
        self.folder, self.progress, self._written = folder, progress, 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Start a new file."""
        for old in self.folder.glob("events.out.tfevents.*"):
            old.unlink()
        with self._clear_full_disk_error():
            self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the new rows."""
        with self._clear_full_disk_error(), self._writer.as_default():
            for row in self.progress.rows[self._written :]:
                for name, value in row.items():
                    tf.summary.write(name, tf.constant(value), step=row["epoch"], metadata=_SCALAR)
            self._writer.flush()
        self._written = len(self.progress.rows)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the file."""
        with self._clear_full_disk_error():
            self._writer.close()

    @contextmanager
    def _clear_full_disk_error(self) -> Iterator[None]:
        """Replace TensorFlow's error for a full disk by a clear message."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            message = f"{self.folder}: expected room for TensorBoard's events, got a full disk; make room"
            raise OSError(errno.ENOSPC, message) from error


# The metadata that TensorBoard's own writer attaches to scalars.
_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class=1
)


class Keep(keras.callbacks.Callback):
    """Keeps the state of a training after each completed epoch, so that an interrupted training can resume.

    Parameters
    ----------
    checkpoint : Checkpoint
        File that holds the state.
    progress : Progress
    stopping : keras.callbacks.EarlyStopping
        Other callbacks whose state is kept; they must come before this one in the list.

    Attributes
    ----------
    epoch : int
        Number of completed epochs; 0 if there is no kept state.
    stopped : bool
        Whether early stopping had already ended the training.
    """

    def __init__(
        self, checkpoint: Checkpoint, progress: Progress, stopping: keras.callbacks.EarlyStopping
    ) -> None:
        super().__init__()
        self.checkpoint, self.progress, self.stopping = checkpoint, progress, stopping
        self._kept = checkpoint.read()
        facts = self._kept[0] if self._kept else {"epoch": 0, "stopped": False}
        self.epoch, self.stopped = facts["epoch"], facts["stopped"]

    def _variables(self) -> list[keras.Variable]:
        """Weights, statistics and random states of the network, and all variables of the optimiser."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Restore the state; this must happen after early stopping has reset itself."""
        if self._kept is None:
            return
        facts, arrays = self._kept
        self._kept = None
        announce(f"{self.progress.title}: resumes after epoch {self.epoch}, completed by an earlier job")
        for variable, value in zip(self._variables(), arrays["variables"], strict=True):
            variable.assign(value)
        self.progress.rows, self.progress.training_seconds = facts["rows"], facts["training_seconds"]
        for name, value in facts["stopping"].items():
            setattr(self.stopping, name, value)
        # Stored separately only if the last epoch was not the best.
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
