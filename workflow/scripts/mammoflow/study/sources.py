"""Lists the first-party modules that a script imports, each with a digest of its statements."""

import ast
import hashlib
from functools import cache
from pathlib import Path

DIGITS = 12


@cache
def listed(folder: Path, path: Path) -> tuple[str, ...]:
    """A script or module and all modules of a folder that it imports, each with its digest.

    A file next to a module with the same name but another suffix, such as a template, belongs to the module.

    Parameters
    ----------
    folder : Path
        Folder of packages.
    path : Path
        Python file, in that folder or elsewhere.

    Returns
    -------
    tuple of str
        ``path digest``, sorted by path; independent of the location of the folder and of file dates.
    """
    files = sorted(file for module in modules(folder, path) for file in (module, *_data(module)))
    return tuple(f"{_named(file, folder)} {digest(file)}" for file in files)


def _data(module: Path) -> list[Path]:
    return [file for file in module.parent.glob(f"{module.stem}.*") if file.suffix != ".py"]


def _named(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def modules(folder: Path, path: Path) -> list[Path]:
    """A Python file and all files of a folder that it imports, directly or indirectly; sorted."""
    queue = [path]
    files = set(queue)
    while queue:
        for path in _imported(folder, queue.pop()):
            if path not in files:
                files.add(path)
                queue.append(path)
    return sorted(files)


@cache
def digest(path: Path) -> str:
    """Digest of a module's statements, without comments, docstrings and layout, or of a data file's bytes."""
    if path.suffix != ".py":
        return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
    return hashlib.sha256(repr(_plain(_tree(path))).encode()).hexdigest()[:DIGITS]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imported(folder: Path, path: Path) -> list[Path]:
    """Modules of a folder, and their packages, that a module imports anywhere in its code."""
    files = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            place = folder
            for part in name.split("."):
                place = place / part
                files += [
                    file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()
                ]
    return files


def _plain(node: object) -> object:
    """A syntax tree as nested tuples, without docstrings and empty fields, which vary between Pythons."""
    if isinstance(node, list):
        return tuple(map(_plain, node))
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if _has_docstring(node):
        fields["body"] = fields["body"][1:]
    return (
        type(node).__name__,
        *((name, _plain(value)) for name, value in fields.items() if value is not None and value != []),
    )


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
