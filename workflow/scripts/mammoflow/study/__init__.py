"""The config of a study, and the state of its run."""
