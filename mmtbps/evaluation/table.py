"""Metrics as a text table."""

from collections.abc import Mapping

from terminaltables import AsciiTable

__all__ = ['format_figures']


def format_figures(figures: Mapping[str, Mapping[str, float]], title: str | None = None) -> str:
    """Format metrics as one table.

    Args:
        figures: Metrics in percent, by row and column; all rows have the same columns.
        title: Title in the frame. Defaults to None: no title.

    Returns:
        The table.
    """
    columns = list(next(iter(figures.values())))
    table = [['', *columns], *([name, *(f'{row[c]:.2f}' for c in columns)] for name, row in figures.items())]
    return AsciiTable(table, None if title is None else f' {title} ').table
