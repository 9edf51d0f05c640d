"""Settings that every test shares."""

import os
import signal

from hypothesis import settings

# A shell starts what runs in the background with SIGINT ignored, and children inherit that: tests that
# interrupt theirs would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Busy machines make deadlines fail for no fault of the code; examples stay the same from run to run.
settings.register_profile("mammoflow", deadline=None, derandomize=True)
settings.load_profile("mammoflow")

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
