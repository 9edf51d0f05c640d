"""Used by every other room: files, tables, boxes, seeds, logs, worker processes."""
