"""SVG files of matplotlib as parts of a page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LEFT_OUT = ("metadata", "style")


def inline_svg(path: Path, prefix: str, description: str) -> str:
    """Turn a picture that matplotlib drew into an element of an HTML page.

    Comments, metadata and namespaces go. Ids get a prefix, so that those of several pictures in
    one page do not clash.

    Args:
        path: The SVG file.
        prefix: What all ids start with; another one for each picture of a page.
        description: Text for those who can't see the picture.

    Returns:
        The element ``<svg>``, whose width follows the page's.
    """
    root = ElementTree.parse(path).getroot()
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in _LEFT_OUT:
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {
            _local(name): _prefixed(_local(name), value, prefix)
            for name, value in element.attrib.items()
        }
        if element.text is not None and not element.text.strip():
            element.text = None
        element.tail = "\n" if element.tail and len(element) == 0 else None
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib |= {"role": "img", "aria-label": description, "stroke-linejoin": "round"}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _prefixed(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
