"""Builds the page to look through what was found; the template is `gallery.html.jinja`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import jinja2
import pandas as pd

from mammoflow.base import storage
from mammoflow.detection.findings import Findings

_TEMPLATE = Path(__file__).with_suffix(".html.jinja")


class Pictures(Protocol):
    """A picture of every image; see `formats.Written`."""

    def path(self, out: Path, image_id: str) -> Path:
        """The file of an image."""


def write(
    found: Sequence[Findings], left_out: pd.DataFrame, pictures: Mapping[str, Pictures], out: Path
) -> None:
    """Write ``index.html``, which refers to pictures in folders next to it, and to nothing else.

    Parameters
    ----------
    found : sequence of Findings
        Of every image; shown by descending score of the most suspicious box.
    left_out : pandas.DataFrame
        A ``left-out`` table.
    pictures : mapping of str to Pictures
        Kinds of pictures by name.
    out : Path
        Folder of the page.
    """
    ordered = sorted(found, key=lambda each: (-max(each.scores, default=-1), each.image_id))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        found=ordered,
        left_out=left_out.to_dict("records"),
        pictures=list(pictures),
        source=lambda name, each: pictures[name].path(Path(), each.image_id).as_posix(),
    )
    with storage.whole(out / "index.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
