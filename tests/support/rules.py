"""The rules of the workflow as text; a rule in a loop counts once for each entry that it loops over."""

import re

from configs import REPOSITORY

_RULE = re.compile(r"^( *)rule ?(\w*):\n(.*?)(?=^\1?\S|\Z)", re.MULTILINE | re.DOTALL)
_LOOP = re.compile(
    r"^for \w+, entry in (\w+)\.items\(\):\n.*?\n( {4}rule:\n.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL
)


def rules(files="*"):
    """Text of every rule by its name."""
    found = {}
    for path in sorted(REPOSITORY.glob(f"workflow/rules/{files}.smk")):
        text = path.read_text()
        found |= {name: body for _, name, body in _RULE.findall(text) if name}
        for entries, body in _LOOP.findall(text):
            (keys,) = re.findall(rf"^{entries} = \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
            for key in re.findall(r'^    "([\w-]+)": \{', keys, re.MULTILINE):
                name = key.replace("-", "_")
                named = re.sub(r'f"([^"{]*)\{name\}([^"{]*)"', rf'"\g<1>{name}\g<2>"', body)
                found[name] = named.replace("{params.script}", f"{name}.py")
    return found
