"""The subcommand ``mammoflow export``: the network of a model for other programs."""

import argparse
import os
from pathlib import Path

_FORMATS = ("onnx", "openvino", "saved-model")


def add_parser(commands: "argparse._SubParsersAction") -> None:
    """Add the parser of this subcommand."""
    command = commands.add_parser(
        "export",
        help="write a model's network as ONNX, for OpenVINO or for TensorFlow",
        description="Write the network of a model for other programs, and how to prepare images for it.",
    )
    command.add_argument("model", type=Path, help="model file (*.mammoflow)")
    command.add_argument("--format", choices=_FORMATS, required=True, help="format of the network")
    command.add_argument("--out", type=Path, required=True, help="folder to write to")
    command.add_argument(
        "--licence",
        nargs="+",
        default=[],
        metavar="data",
        help="training data whose terms do not allow to pass the model on, if you may decide it nevertheless",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export, and say where the network is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from mammoflow.bundles import exporting, model_file

    model = model_file.open_model(options.model)
    written = exporting.export(model, options.format, options.out, options.licence)
    print(f"{written}: {model.manifest['model']}; how to prepare images is in PREPROCESSING.md")
    return 0
