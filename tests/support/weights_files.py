"""Files in Keras' notop layout, with arrays of given shapes."""

import h5py


def write_notop(path, shapes, **attributes):
    """A file with a layer for every shape; nothing is written into its arrays."""
    with h5py.File(path, "w") as file:
        for number, shape in enumerate(shapes):
            file.create_group(f"layer{number}").create_dataset("kernel", shape, "f4")
            file[f"layer{number}"].attrs["weight_names"] = [b"kernel"]
        file.attrs.update(
            {"layer_names": [f"layer{number}".encode() for number in range(len(shapes))]} | attributes
        )
