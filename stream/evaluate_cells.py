"""Figures as text, and tables of text: what every section of an evaluation's report is made of."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path


def value(figure: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "-" if figure is None else f"{figure:.{digits}f}"


def share(figure: float | None) -> str:
    """A share as a percentage."""
    return "-" if figure is None else f"{figure:.0%}"


def ranged(figure: float | None, interval: Sequence[float] | None, digits: int = 3) -> str:
    """A figure with its 95 % interval."""
    if figure is None or not interval:
        return value(figure, digits)
    return f"{figure:.{digits}f} [{interval[0]:.{max(digits - 1, 1)}f}, {interval[1]:.{max(digits - 1, 1)}f}]"


def share_ranged(figure: float | None, interval: Sequence[float] | None) -> str:
    """A share with its 95 % interval, as percentages."""
    if figure is None or not interval:
        return share(figure)
    return f"{figure:.0%} [{interval[0]:.0%}, {interval[1]:.0%}]"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; every cell is escaped."""
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>{lines}</table>"


def text_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The same as lines for a terminal, columns as wide as they need to be."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def notes(sentences: Iterable[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def figure(path: Path, caption: str, width: int) -> str:
    """A picture of the folder inside the page; nothing where it is not there."""
    if not path.is_file():
        return ""
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" width="{width}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
