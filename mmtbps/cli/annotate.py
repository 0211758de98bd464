"""``mmtbps annotate``: a table to fill in."""

import sys

__all__ = ['annotate']


def annotate(images: str, /, *, out: str, pattern: str | None = None) -> None:
    r"""Write a table with a row for every image of a folder, whose captions are to be filled in.

    For example:

        mmtbps annotate crops --out captions.csv --pattern "(?P<person_id>\d+)_[^/]*$"

    Args:
        images: Folder of images.
        out: The table to write (.csv).
        pattern: Columns from paths: a regular expression that is searched for in them, such as
            `(?P<person_id>\d+)_[^/]*$` for the name of the file.
    """
    from mmtbps.core.text import one_line, printable
    from mmtbps.search.annotation_table import write_annotation_table

    table = write_annotation_table(images, out, pattern)
    for remark in table.remarks:
        print(one_line(remark), file=sys.stderr)
    name = printable(out)
    of = f' of {table.persons} {"person" if table.persons == 1 else "persons"}' if table.persons else ''
    print(
        f'{name}: {table.rows} images{of}. Fill in the column caption, and person_id where it is empty, the same for '
        'all images of'
    )
    print('one person; then:')
    print(f'  mmtbps train --data {name}' + (f' --images {printable(table.folder)}' if table.folder else ''))
