"""Writes data as JavaScript files, which a page opened from a folder can load without a server.

Browsers refuse to read other files from such a page, but they run its scripts. Each file therefore assigns
one value to ``reviewData[name]``.
"""

import base64
import json
from pathlib import Path

import numpy as np

from mammoflow.base import storage


def packed(array: np.ndarray) -> dict[str, str]:
    """An array of one dimension as the name of its JavaScript type and its bytes in Base64.

    Parameters
    ----------
    array : (n,) array
        Integers, which must not be negative, are stored in the smallest type that holds them; float32 and
        float64 as they are.

    Examples
    --------
    >>> packed(np.array([1, 2, 255]))
    {'type': 'Uint8Array', 'bytes': 'AQL/'}
    """
    array = np.asarray(array)
    if array.dtype.kind in "bui":
        array = array.astype(np.min_scalar_type(int(array.max(initial=0))))
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {"type": _TYPES[array.dtype.name], "bytes": base64.b64encode(little.tobytes()).decode()}


_TYPES = {
    **{f"uint{bits}": f"Uint{bits}Array" for bits in (8, 16, 32)},
    **{f"float{bits}": f"Float{bits}Array" for bits in (32, 64)},
}


def write(path: str | Path, name: str, value: object) -> int:
    """Write a file that assigns a value to ``reviewData[name]``, and return its size in bytes.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str
        Its key on the page.
    value : object
        Anything that `json` can write; NaN and infinity are refused, because a browser cannot read them.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    content = f"(window.reviewData ??= {{}})[{json.dumps(name)}]={text};\n"
    with storage.whole(path) as temporary:
        temporary.write_text(content, encoding="ascii")
    return len(content)
