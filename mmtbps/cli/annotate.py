"""``mmtbps annotate``: a table to fill in."""

__all__ = ['annotate']


def annotate(images: str, /, *, out: str, pattern: str | None = None) -> None:
    r"""Write a table with a row for every image of a folder, whose captions are to be filled in.

    For example:

        mmtbps annotate crops --out captions.csv --pattern "(?P<person_id>\d+)_"

    Args:
        images: Folder of images.
        out: The table to write (.csv).
        pattern: Columns from paths: a regular expression such as `(?P<person_id>\d+)_`.
    """
    from mmtbps.search.annotation_table import write_annotation_table

    rows, folder = write_annotation_table(images, out, pattern)
    print(
        f'{out}: {rows} images. Fill in the column caption, and person_id where it is empty, the same for all images of'
    )
    print('one person; then:')
    print(f'  mmtbps train --data {out}' + (f' --images {folder}' if folder else ''))
