"""Captions of figures and tables: the first paragraph of the plug-in's own docstring."""

from __future__ import annotations

import ast
import re

from winnow import plugins
from winnow.errors import UserError


def caption(kind: str, name: str) -> str:
    """Of a plug-in of `kind` 'figures' or 'tables'; its name where there is none."""
    try:
        source = plugins.path(kind, name).read_text(encoding="utf-8")
    except (UserError, OSError):
        return name.replace("_", " ")
    text = (ast.get_docstring(ast.parse(source)) or name).split("\n\n")[0]
    return " ".join(text.split())


def sentence(kind: str, name: str) -> str:
    """The first sentence of a plug-in's docstring, without references (in brackets, with a year)."""
    text = re.sub(r" \([^()]*\b(19|20)\d\d\b[^()]*\)", "", caption(kind, name))
    return text.partition(". ")[0].rstrip(".:") + "."
