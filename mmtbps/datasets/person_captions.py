"""Data sets of users."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from mmtbps.core.arguments import checked
from mmtbps.core.json_text import parse_json
from mmtbps.registry import DATASETS

from .annotation import ImageEntry, read_text
from .base import TBPSDataset
from .carving import carve_splits
from .tables import csv_columns, csv_records, found_columns, jsonl_records

__all__ = ['PersonCaptions']


@DATASETS.register_module()
class PersonCaptions(TBPSDataset):
    """Images, captions and identities from a CSV table or a JSONL file.

    Every row or line is one image with one caption (a JSONL line may also have a list of captions); the rows of an
    image are merged. UTF-8, with or without a byte order mark. ::

        image,caption,person_id,split
        0001.jpg,"A man in a red coat, carrying a bag.",ann_17,train
        0001.jpg,A man with a brown bag.,ann_17,train

    Identities of a CSV table are texts and sorted as such. A column ``caption_bt`` may have back translations of the
    captions, see :class:`~mmtbps.datasets.BackTranslate`.

    Args:
        ann_file: The table, a '.csv' or '.jsonl' file.
        image_key: Column of the image path, relative to ``data_prefix['img_path']``. Defaults to 'image'.
        caption_key: Column of the caption. Defaults to 'caption'.
        person_key: Column of the identity. Defaults to 'person_id'.
        split_key: Column of 'train', 'val' or 'test'. None: every row of the file belongs to ``split``, for one file
            per split. Defaults to 'split', so that nobody trains and tests on the same rows by oversight.
        num_val_ids: Number of training identities that become the val split. With ``split_key=None`` the whole file is
            one set of identities to take them from. Defaults to 0.
        num_test_ids: Likewise for test.
        **kwargs: See :class:`TBPSDataset`.

    Raises:
        ValueError: If the file has another extension.
    """

    METAINFO = {'dataset': 'PersonCaptions'}
    back_translation_key = 'caption_bt'

    @checked()
    def __init__(
        self,
        ann_file: str,
        image_key: str = 'image',
        caption_key: str = 'caption',
        person_key: str = 'person_id',
        split_key: str | None = 'split',
        num_val_ids: int = 0,
        num_test_ids: int = 0,
        **kwargs: Any,
    ) -> None:
        if not ann_file.endswith(('.csv', '.jsonl')):
            raise ValueError(f"PersonCaptions reads '.csv' and '.jsonl' files, but got ann_file={ann_file!r}.")
        self.num_val_ids, self.num_test_ids = num_val_ids, num_test_ids
        self.keys = {'img_path': image_key, 'person_id': person_key, 'captions': caption_key}
        if split_key is not None:
            self.keys['split'] = split_key
        self.annotation_help = (
            f'Every row needs {", ".join(map(repr, self.keys.values()))}; other names are given by image_key, '
            'caption_key, person_key and split_key (None: the whole file is one split); in a shell by --cfg-options '
            'own_data.image_key=NAME.'
        )
        super().__init__(ann_file=ann_file, **kwargs)

    def load_raw(self) -> Iterator[tuple[str, Any]]:
        """Read the table.

        Yields:
            'line 2' (counted from 1, as editors do) and the record there.
        """
        text = read_text(self.ann_file)
        is_csv = self.ann_file.endswith('.csv')
        rows = csv_records(text, self._check_header, self.reject) if is_csv else jsonl_records(text, self.reject)
        return self._begun(rows)

    def _begun(self, rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        """Leave out rows that nobody has filled in yet: neither a caption nor a person."""
        empty = 0
        for where, record in rows:
            if isinstance(record, dict) and all(_blank(record, self.keys[key]) for key in ('captions', 'person_id')):
                empty += 1
            else:
                yield where, record
        if empty:
            warnings.warn(
                f'{self.ann_file}: {empty} rows have neither {self.keys["captions"]!r} nor {self.keys["person_id"]!r} '
                'and are left out.',
                stacklevel=2,
            )

    @property
    def has_all_splits(self) -> bool:
        """Whether the file tells of all splits, instead of one alone."""
        return 'split' in self.keys or bool(self.num_val_ids or self.num_test_ids)

    def has_column(self, name: str) -> bool:
        """Whether the table, or the first line of a JSONL file, has a column of that name."""
        text = read_text(self.ann_file)
        if self.ann_file.endswith('.csv'):
            return name in csv_columns(text)
        try:
            record = parse_json(next((line for line in text.split('\n') if line.strip()), ''))
        except ValueError:
            return False  # reading the file tells what is wrong with it
        return isinstance(record, dict) and name in record

    def parse(self, raw: Iterable[tuple[str, Any]]) -> Iterable[ImageEntry]:
        """Turn the rows into entries, and move identities to val and test if asked to.

        Args:
            raw: Place and record of each row.

        Returns:
            One entry per row.
        """
        whole = 'train' if self.has_all_splits else self.split
        entries = self.parse_records(raw, split=None if 'split' in self.keys else whole)
        if not (self.num_val_ids or self.num_test_ids):
            return entries
        read = list(entries)
        try:
            return carve_splits(read, self.num_val_ids, self.num_test_ids)
        except ValueError as error:
            self.reject(str(error), error, with_help=False)
            return read

    def _check_header(self, columns: list[str]) -> None:
        absent = [key for key in self.keys.values() if columns.count(key) != 1]
        if absent:
            raise self.annotation_error(
                f'line 1: the header must name {", ".join(map(repr, absent))} once, but {found_columns(columns)}'
            )


def _blank(record: dict, key: str) -> bool:
    return record.get(key) in (None, '', []) or (isinstance(record[key], str) and not record[key].strip())
