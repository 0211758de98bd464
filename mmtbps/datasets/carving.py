"""Val and test splits out of training identities."""

import hashlib
from collections.abc import Sequence

from .annotation import ImageEntry

__all__ = ['carve_splits']


def carve_splits(entries: Sequence[ImageEntry], num_val_ids: int = 0, num_test_ids: int = 0) -> list[ImageEntry]:
    """Move training identities, with all their images, to val and test.

    They are those with the smallest BLAKE2 digests of the raw identity, so that the choice depends only on the
    identities and the numbers; the test split does not depend on the size of val.

    Args:
        entries: Entries of all splits.
        num_val_ids: Number of identities that become the val split. Defaults to 0: the split stays as it is.
        num_test_ids: Likewise for test.

    Returns:
        The entries in their order.

    Raises:
        ValueError: If there already is such a split, or no training identity would be left.
    """
    train_ids = {entry.person_id for entry in entries if entry.split == 'train'}
    moved: dict[int | str, str] = {}
    by_digest = iter(sorted(train_ids, key=_digest))
    for split, number in (('test', num_test_ids), ('val', num_val_ids)):
        if number and any(entry.split == split for entry in entries):
            raise ValueError(f'there already is a {split} split; pass num_{split}_ids=0 to use it')
        if number and len(train_ids) <= len(moved) + number:
            what = 'validation' if split == 'val' else 'test'
            raise ValueError(
                f'{number} {what} identities cannot be taken from {len(train_ids) - len(moved)} training identities; '
                f'choose a smaller num_{split}_ids (--{split}-ids)'
            )
        moved |= {next(by_digest): split for _ in range(number)}
    return [
        entry._replace(split=moved[entry.person_id]) if entry.split == 'train' and entry.person_id in moved else entry
        for entry in entries
    ]


def _digest(person_id: int | str) -> bytes:
    """A deterministic hash of an identity; Python's own hash differs from run to run."""
    return hashlib.blake2b(str(person_id).encode()).digest()
