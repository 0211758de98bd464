"""Check of a data set before training."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mmcv
from mmengine.config import Config
from PIL import Image
from terminaltables import AsciiTable

from mmtbps.core.files import require_regular
from mmtbps.core.images import require_pixels
from mmtbps.core.terminal import progress_bar
from mmtbps.core.text import printable
from mmtbps.registry import DATASETS

from .annotation import SPLITS, ImageEntry, conflicts, missing_images, sort_ids
from .base import TBPSDataset
from .identities import similar_identities, two_kinds
from .joining import leaf_configs
from .places import nested_hint

__all__ = ['config_of_class', 'datasets_of_config', 'format_report', 'verify_dataset', 'verify_together']

_FAULTS = {
    'annotation_errors': 'errors in the annotation',
    'missing_images': 'missing images',
    'undecodable_images': 'images that cannot be decoded',
}
_REMARKS = {
    'images_in_several_splits': 'images in more than one split',
    'persons_in_several_splits': 'persons in more than one split',
    'similar_identities': 'identities that are written differently but may be one',
    'captions_of_several_persons': 'captions that several persons share',
    'blank_captions': 'images with blank captions or none',
    'non_ascii_captions': 'captions with characters beyond ASCII',
}


def verify_dataset(dataset: TBPSDataset, workers: int | None = None) -> dict[str, Any]:
    """Check the annotation and every image of a data set, whatever its split.

    Args:
        dataset: The data set; ``lazy_init=True`` is enough, since no item is loaded.
        workers: Threads that decode images. Defaults to None: Python's choice for this machine.

    Returns:
        A dictionary for ``json.dump``. 'source' names the data; 'splits' maps each split to its numbers of
        'identities', 'images' and 'captions' and to the 'published' ones (or None); 'broken' says whether there are
        faults: 'annotation_errors', 'missing_images', 'undecodable_images'. Remarks need not be faults:
        'images_in_several_splits', 'persons_in_several_splits' (compared as they are written), 'similar_identities'
        (such as 3, 03 and 3.0), 'captions_of_several_persons', 'blank_captions', 'non_ascii_captions'. 'hint' says
        where missing images may be.
    """
    folder = dataset.data_prefix['img_path']
    report = _empty_report([dataset])
    entries, report['annotation_errors'] = dataset.check_entries()
    report['annotation_errors'] += [str(dataset.annotation_error(message)) for message in _contradictions(entries)]
    paths = list(dict.fromkeys(entry.img_path for entry in entries))
    report['missing_images'] = missing_images(folder, paths)
    absent = set(report['missing_images'])
    report['hint'] = nested_hint(folder, report['missing_images'][:3])
    report['undecodable_images'] = list(_undecodable(folder, [path for path in paths if path not in absent], workers))
    report['splits'] = _count_splits(entries, dataset.statistics)
    report.update(_compare_splits(entries))
    report.update(_check_captions(entries))
    report['broken'] = any(report[key] for key in _FAULTS)
    return report


def verify_together(datasets: Iterable[TBPSDataset]) -> list[dict[str, Any]]:
    """Compare splits that stand in files of their own, and share their images' folder.

    Args:
        datasets: The data sets of a config, each of which :func:`verify_dataset` has checked.

    Returns:
        A report for each folder with several such files, of what only shows between them: persons and images in more
        than one split, identities that are written differently.
    """
    groups: dict[tuple, list[TBPSDataset]] = defaultdict(list)
    for dataset in datasets:
        if not dataset.has_all_splits:
            groups[type(dataset), dataset.data_prefix['img_path']].append(dataset)
    return [_compared(group) for group in groups.values() if len({dataset.ann_file for dataset in group}) > 1]


def _compared(datasets: list[TBPSDataset]) -> dict[str, Any]:
    report = _empty_report(datasets)
    entries = [
        entry._replace(where=f'{dataset.ann_file}, {entry.where}')
        for dataset in datasets
        for entry in dataset.check_entries()[0]
    ]
    report['annotation_errors'] = list(two_kinds(entries))
    report['splits'] = _count_splits(entries, {})
    report.update(_compare_splits(entries))
    report['broken'] = bool(report['annotation_errors'])
    return report


def _empty_report(datasets: list[TBPSDataset]) -> dict[str, Any]:
    files = ' and '.join(dict.fromkeys(dataset.ann_file for dataset in datasets))
    source = {'type': type(datasets[0]).__name__, 'ann_file': files, 'img_path': datasets[0].data_prefix['img_path']}
    return {'source': source, 'splits': {}, 'hint': '', **{key: [] for key in (*_FAULTS, *_REMARKS)}}


def _compare_splits(entries: list[ImageEntry]) -> dict[str, list[dict]]:
    return {
        'images_in_several_splits': _several(((e.img_path, e.split) for e in entries), 'image', 'splits'),
        'persons_in_several_splits': _persons_in_several_splits(entries),
        'similar_identities': [{'person_ids': group} for group in similar_identities(entries)],
    }


def format_report(report: Mapping[str, Any], examples: int = 5) -> str:
    """Format a report as text.

    Args:
        report: Result of :func:`verify_dataset`.
        examples: Largest number of remarks of one kind; all faults are shown. Defaults to 5, to keep it short.

    Returns:
        Several lines of text.
    """
    rows = [['split', 'identities', 'images', 'captions', 'published']]
    for split, counts in report['splits'].items():
        published, own = counts['published'], [counts[key] for key in ('identities', 'images', 'captions')]
        note = '' if published is None else ' / '.join(f'{number:,}' for number in published)
        note += ' (differs)' if published is not None and list(published) != own else ''
        rows.append([split, *(f'{number:,}' for number in own), note])
    source = report['source']
    lines = [f'{source["type"]}: {source["ann_file"]}, images below {source["img_path"]}', AsciiTable(rows).table]
    for key, title in {**_FAULTS, **_REMARKS}.items():
        found = report[key]
        shown = found if key in _FAULTS else found[:examples]
        lines.append(f'{len(found):,} {title}')
        lines += [f'  {item if isinstance(item, str) else _line(item)}' for item in shown]
        lines += ['  ...'] if len(shown) < len(found) else []
        lines += [f'  {report["hint"]}'] if key == 'missing_images' and report['hint'] else []
    lines.append('BROKEN: repair the faults above.' if report['broken'] else 'No faults.')
    return printable('\n'.join(lines))


def config_of_class(name: str, data_root: str) -> Config:
    """Create a config that reads a single data set.

    Args:
        name: Class of the data set, such as 'CUHKPEDES'.
        data_root: Its folder.

    Returns:
        The config, for :func:`datasets_of_config`.

    Raises:
        ValueError: If there is no such class.
    """
    DATASETS.import_from_location()
    names = sorted(key for key, value in DATASETS.module_dict.items() if issubclass(value, TBPSDataset))
    if name.removeprefix('mmtbps.') not in names:
        raise ValueError(f'There is no data set {name!r}; there are {", ".join(names)}, and those of a config file.')
    return Config(dict(test_dataloader=dict(dataset=dict(type=name, data_root=data_root))))


def datasets_of_config(cfg: Mapping[str, Any]) -> list[TBPSDataset]:
    """Build the data sets of a config's loaders, one per annotation, without reading them.

    Args:
        cfg: A complete config.

    Raises:
        ValueError: If the config has no such data set.
    """
    found: dict[tuple, TBPSDataset] = {}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for node in leaf_configs((cfg.get(loader) or {}).get('dataset')):
            # Neither images nor words are needed, and a tokenizer may want files of its own.
            args = {**node, 'pipeline': [], 'tokenizer': {'type': 'WordTokenizer'}, 'lazy_init': True}
            dataset = DATASETS.build(args)
            split = None if dataset.has_all_splits else dataset.split
            found.setdefault((type(dataset), dataset.ann_file, dataset.data_prefix['img_path'], split), dataset)
    if not found:
        raise ValueError('The config has no data set in train_dataloader, val_dataloader or test_dataloader.')
    return list(found.values())


def _contradictions(entries: list[ImageEntry]) -> Iterator[str]:
    yield from two_kinds(entries)
    yield from conflicts(entries)


def _undecodable(folder: str, paths: list[str], workers: int | None) -> Iterator[dict[str, str]]:
    with ThreadPoolExecutor(workers) as pool:
        reasons = pool.map(_decoding_error, (os.path.join(folder, path) for path in paths))
        for path, reason in zip(paths, progress_bar(len(paths), 'images', iterable=reasons), strict=True):
            if reason:
                yield {'image': path, 'reason': reason}


def _decoding_error(file: str) -> str | None:
    """Return the error of reading an image, or None if there is none."""
    try:
        require_regular(file)
        require_pixels(file)
        # OpenCV, which training reads with, fills the rest of a truncated image with gray; Pillow refuses it.
        with Image.open(file) as image:
            image.load()
        return 'OpenCV cannot decode it' if mmcv.imread(file) is None else None
    except Exception as error:  # decoders raise errors of many kinds on broken content
        return f'{type(error).__name__}: {error}'


def _count_splits(entries: Iterable[ImageEntry], statistics: Mapping[str, tuple]) -> dict[str, dict]:
    splits, published = defaultdict(list), dict(statistics)
    for entry in entries:
        splits[entry.split].append(entry)
    if 'val' in splits and published and 'val' not in published:
        # The val split was taken from train: the publication counts them together.
        splits['train+val'] = splits['train'] + splits['val']
        published['train+val'] = published.pop('train')
    return {
        split: {
            'identities': len({entry.person_id for entry in splits[split]}),
            'images': len({entry.img_path for entry in splits[split]}),
            'captions': sum(len(entry.captions) for entry in splits[split]),
            'published': published.get(split),
        }
        for split in (*SPLITS, 'train+val')
        if split in splits or split in published
    }


def _several(pairs: Iterable[tuple[Any, Any]], key: str, values: str) -> list[dict]:
    """List the keys that occur with more than one value."""
    found = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
    return [{key: one, values: sort_ids(others)} for one, others in found.items() if len(others) > 1]


def _persons_in_several_splits(entries: list[ImageEntry]) -> list[dict]:
    written = {str(entry.person_id): entry.person_id for entry in reversed(entries)}
    found = _several(((str(entry.person_id), entry.split) for entry in entries), 'person_id', 'splits')
    return [dict(one, person_id=written[one['person_id']]) for one in found]


def _check_captions(entries: Iterable[ImageEntry]) -> dict[str, list[dict]]:
    entries = list(entries)
    captions = [(caption, entry) for entry in entries for caption in entry.captions]
    words = ((' '.join(caption.split()).lower(), entry.person_id) for caption, entry in captions if caption.strip())
    return {
        'captions_of_several_persons': _several(words, 'caption', 'person_ids'),
        'blank_captions': [
            {'where': entry.where, 'image': entry.img_path}
            for entry in entries
            if not entry.captions or not all(caption.strip() for caption in entry.captions)
        ],
        'non_ascii_captions': [
            {'where': entry.where, 'image': entry.img_path, 'caption': caption}
            for caption, entry in captions
            if not caption.isascii()
        ],
    }


def _line(item: Mapping[str, Any]) -> str:
    return ', '.join(f'{key}: {value}' for key, value in item.items())
