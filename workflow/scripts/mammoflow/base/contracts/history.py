"""Defines the table of the training history, one row per epoch."""

from mammoflow.base.contracts.table import Table

HISTORY = Table(
    "history",
    {
        "epoch": int,
        "loss": float,
        "accuracy": float,
        "az": float,
        "validation_loss": float,
        "validation_accuracy": float,
        "validation_az": float,
        "learning_rate": float,
        "seconds": float,
    },
)
