"""Settings that every test shares."""

import os

from hypothesis import settings

# Busy machines make deadlines fail for no fault of the code; examples stay the same from run to run.
settings.register_profile("mammoflow", deadline=None, derandomize=True)
settings.load_profile("mammoflow")

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
