"""Figures as text."""

from collections.abc import Mapping

from terminaltables import AsciiTable

__all__ = ['format_figures']


def format_figures(figures: Mapping[str, Mapping[str, float]], title: str | None = None) -> str:
    """Lay figures out as one table.

    Args:
        figures: Figures in percent, by row and column; all rows have the same columns.
        title: Written into the frame. Defaults to None: nothing.

    Returns:
        The table.
    """
    columns = list(next(iter(figures.values())))
    table = [['', *columns], *([name, *(f'{row[c]:.2f}' for c in columns)] for name, row in figures.items())]
    return AsciiTable(table, None if title is None else f' {title} ').table
