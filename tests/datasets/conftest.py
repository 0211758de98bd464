"""Small data sets in the published layouts."""

import gc

import pytest


@pytest.fixture(scope='session', autouse=True)
def _quick_garbage_collection():
    """Every serialised data set collects garbage; what the imports left behind need not be searched each time."""
    gc.freeze()


@pytest.fixture
def cuhk_entries():
    """Annotation of 6 persons (raw ids with gaps, not in order) with 2 images and 2 captions each."""
    entries = []
    for split, ids in (('train', (90, 7, 11)), ('val', (300, 4)), ('test', (12,))):
        for person in ids:
            for view in range(2):
                captions = [f'Person {person} in a red t-shirt.', f'A man, view {view}, walks.']
                entries.append(
                    dict(
                        split=split,
                        captions=captions,
                        file_path=f'cam_a/{person:03d}_{view}.png',
                        processed_tokens=[['never', 'read']] * 2,
                        id=person,
                    )
                )
    return entries


@pytest.fixture
def cuhk_root(tmp_path, write_json, cuhk_entries):
    """Folder with that annotation as ``reid_raw.json``, and its images."""
    return write_json(tmp_path, cuhk_entries)
