"""Which edits change the digest of a module, and which modules a script imports."""

import pytest

from mammoflow.study import sources

MODULE = '''"""A module."""

import math


def area(radius):
    """Area of a circle."""
    return math.pi * radius**2
'''


@pytest.fixture
def folder(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "far.py").write_text(MODULE)
    (package / "near.py").write_text("def load():\n    from package import far\n    return far\n")
    (package / "other.py").write_text("import numpy\n")
    (tmp_path / "script.py").write_text("from package.near import load\n")
    return tmp_path


def names(listed):
    return [item.split()[0] for item in listed]


def digests(tmp_path, *texts):
    paths = [tmp_path / f"module_{number}.py" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return {sources.digest(path) for path in paths}


def test_a_script_is_listed_with_all_that_it_imports(folder):
    listed = sources.listed(folder, folder / "script.py")
    assert names(listed) == ["package/__init__.py", "package/far.py", "package/near.py", "script.py"]


def test_modules_that_import_each_other(folder):
    (folder / "package/far.py").write_text("from package import near\n")
    assert names(sources.listed(folder, folder / "package/far.py")) == [
        "package/__init__.py",
        "package/far.py",
        "package/near.py",
    ]


def test_a_file_of_a_modules_name_belongs_to_it(folder):
    before = sources.listed(folder, folder / "script.py")
    template = folder / "package" / "far.html.jinja"
    template.write_text("<p>")
    first = sources.listed.__wrapped__(folder, folder / "script.py")
    assert set(names(first)) - set(names(before)) == {"package/far.html.jinja"}
    template.unlink()
    other = folder / "package" / "alone.html"
    other.write_text("<p>")
    assert sources.listed.__wrapped__(folder, folder / "script.py") == before


def test_digests_do_not_depend_on_the_place(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "folder"
    folder.rename(elsewhere)
    here = sources.listed(elsewhere, elsewhere / "script.py")
    elsewhere.rename(folder)
    assert here == sources.listed(folder, folder / "script.py")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another sentence."""'),
        ('    """Area of a circle."""\n', ""),
        ("import math\n", "import math  # of Python\n"),
        ("    return math.pi * radius**2", "    return (\n        math.pi\n        * radius ** 2\n    )"),
    ],
    ids=["docstring", "no docstring", "comment", "layout"],
)
def test_no_edit(tmp_path, old, new):
    assert old in MODULE
    assert len(digests(tmp_path, MODULE, MODULE.replace(old, new))) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius**2", "radius**3"),
        ("radius**2", "radius**2.0"),
        ("area(radius)", "area(radius=1)"),
        ("radius**2", 'radius**2 if "text" else 0'),
        ('    """Area of a circle."""\n', '    radius = abs(radius)\n    """Area of a circle."""\n'),
        ("import math\n", "import math\n\nEDITED = True\n"),
    ],
)
def test_an_edit(tmp_path, old, new):
    assert old in MODULE
    assert len(digests(tmp_path, MODULE, MODULE.replace(old, new))) == 2
