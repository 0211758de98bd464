"""A table of one's own as the data of a config, and the numbers of a training that follow from the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import get_world_size
from mmengine.registry import init_default_scope

from mmtbps.datasets import PersonCaptions
from mmtbps.datasets.annotation import ImageEntry
from mmtbps.datasets.joining import leaf_configs
from mmtbps.registry import DATASETS

__all__ = ['apply_own_data', 'derive_numbers', 'disable_validation', 'measures_training_set']

_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 1000, 5, 60
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_SPLITS = ('train', 'val', 'test')
_FEWEST_PERSONS, _FEW_PERSONS = 20, 10
_BATCH = 64


def apply_own_data(cfg: Config) -> list[str]:
    """Obey ``own_data='captions.csv'`` of a config, in place: all of its data sets come from that table.

    It may be a dictionary, too: ``table``, ``images`` (the folder of the images; ``imgs`` beside the table, or else the
    folder of the table), ``num_val_ids`` and ``num_test_ids`` (identities of train that become val and test), and what
    else :class:`~mmtbps.datasets.PersonCaptions` takes. A table without a column of splits is one set of persons, of
    which a tenth each becomes val and test if there are at least 20. What the table has not is left out of the
    run: without val the last epoch counts, without test nothing is tested.

    Args:
        cfg: A complete config; without ``own_data`` nothing happens.

    Returns:
        Sentences on what the run lacks, and on a choice of the best epoch by few.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If the table cannot be read, or has no training rows.
    """
    given = cfg.pop('own_data', None)
    if given is None:
        return []
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    files = _files(dict(given) if isinstance(given, Mapping) else dict(table=str(given)))
    if cfg.get('train_dataloader') is None:
        raise ValueError(f'own_data needs a config with a train_dataloader, and {cfg.filename} has none.')
    for name in _LOADERS:
        if cfg.get(name) is None:  # such as after --no-validate
            continue
        own = next(leaf_configs(cfg[name].dataset))
        kept = {key: own[key] for key in ('pipeline', 'tokenizer', 'test_mode') if key in own}
        cfg[name].dataset = ConfigDict(**files, **kept, split=_SPLITS[_LOADERS.index(name)])
    entries = list(_dataset(files).read_entries())
    told = _leave_out(cfg, {entry.split for entry in entries}, files['ann_file'])
    return [*told, *_choose_by_few(cfg, [entry for entry in entries if entry.split == 'val'])]


def _choose_by_few(cfg: Config, val: Sequence[ImageEntry]) -> list[str]:
    """Let the latest of equally good epochs count, and say if few persons choose it."""
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if checkpoint.get('type') in ('CheckpointHook', 'mmtbps.CheckpointHook') and checkpoint.get('save_best'):
        checkpoint.setdefault('latest_of_equals', True)
    persons, sentences = len({entry.person_id for entry in val}), sum(len(entry.captions) for entry in val)
    if not 0 < persons < _FEW_PERSONS or not checkpoint.get('save_best'):
        return []
    return [
        f'The best epoch is chosen by {sentences} sentences on {persons} persons, a matter of luck: --val-ids N takes '
        'more persons from the training, and --no-validate keeps the last epoch.'
    ]


def _files(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the data sets, but those that differ from split to split."""
    table = Path(given.pop('table', ''))
    if not table.is_file():
        raise FileNotFoundError(f'There is no table {table} (own_data, --data): a CSV or JSONL of images and captions.')
    images = given.pop('images', None)
    if images is not None and not Path(images).is_dir():
        raise FileNotFoundError(f'There is no folder {images} (own_data.images, --images).')
    numbers = {key: given.pop(key, None) for key in ('num_val_ids', 'num_test_ids')}
    files = dict(type='PersonCaptions', ann_file=str(table.absolute()), **given)
    if 'split_key' not in given and not _dataset(files).has_column('split'):
        files['split_key'] = None
        persons = len({entry.person_id for entry in _dataset(files).read_entries()})
        share = max(2, round(persons / 10)) if persons >= _FEWEST_PERSONS else 0
        numbers = {key: share if number is None else number for key, number in numbers.items()}
    folder = Path(images) if images is not None else _images_beside(table, _dataset(files))
    files['data_prefix'] = dict(img_path=str(folder.absolute()))
    return files | {key: number for key, number in numbers.items() if number}


def _images_beside(table: Path, dataset: PersonCaptions) -> Path:
    """The folder of the images: ``imgs`` beside the table, or the table's own if the first image is there."""
    beside, first = table.parent / 'imgs', next(iter(dataset.read_entries()), None)
    inside = first is not None and (table.parent / first.img_path).is_file()
    return beside if beside.is_dir() and not inside else table.parent


def _dataset(files: Mapping[str, Any]) -> PersonCaptions:
    return DATASETS.build(dict(files, lazy_init=True))


def _leave_out(cfg: Config, there: set[str], table: str) -> list[str]:
    """Drop the loops whose split the table has not."""
    if 'train' not in there:
        raise ValueError(f'{table}: no row belongs to the split train; it has {", ".join(sorted(there)) or "no rows"}.')
    told = []
    if 'val' not in there and cfg.get('val_dataloader') is not None:
        disable_validation(cfg)
        told.append('no val split, so that no best epoch is chosen and the last one counts (--val-ids, num_val_ids)')
    if 'test' not in there and cfg.get('test_dataloader') is not None:
        # It also says how images and sentences are prepared for a search.
        cfg.test_dataloader.dataset.split = 'train'
        told.append('no test split, so that nothing is tested (--test-ids, num_test_ids)')
    return [f'{Path(table).name} has {"; and ".join(told)}.'] if told else []


def disable_validation(cfg: Config) -> None:
    """Train without validation; no best epoch is chosen."""
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint')
    if checkpoint:
        checkpoint.pop('save_best', None)
        checkpoint.pop('rule', None)


def measures_training_set(cfg: Config) -> bool:
    """Whether the test set is the training set, of which figures say nothing."""
    sets = [next(leaf_configs((cfg.get(name) or {}).get('dataset')), {}) for name in (_LOADERS[0], _LOADERS[2])]
    names = ('type', 'data_root', 'ann_file', 'split')
    return bool(sets[0]) and all(sets[0].get(name) == sets[1].get(name) for name in names)


def derive_numbers(cfg: Config) -> list[str]:
    """Fill ``train_dataloader.batch_size=None`` and ``train_cfg.max_epochs=None`` from the training set, in place.

    The batch is what the config is meant for (``auto_scale_lr.base_batch_size``), or as much of it as the data give:
    all pairs, or with batches of P identities x K pairs all identities; K is 1 where each identity has one pair.
    The epochs make about 1,000 steps, which a model for a few thousand crops needs, but not less than 5 and not more
    than 60 epochs.

    Args:
        cfg: A complete config whose data sets are decided.

    Returns:
        Sentences on what was derived.

    Raises:
        ValueError: If the data are too few for any batch; the message says which number.
    """
    empty = ConfigDict()
    loader: ConfigDict = cfg.get('train_dataloader') or empty
    loop: ConfigDict = cfg.get('train_cfg') or empty
    wanted_batch = 'batch_size' in loader and loader.batch_size is None
    wanted_epochs = 'max_epochs' in loop and loop.max_epochs is None
    if not (wanted_batch or wanted_epochs):
        return []
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    dataset = DATASETS.build(loader.dataset)
    pairs, persons = len(dataset), dataset.num_classes
    told = f'{pairs:,} pairs of {persons:,} persons: '
    if wanted_batch:
        told += _fill_batch(cfg, pairs, persons) + ', '
    size = loader.batch_size * get_world_size()
    if wanted_epochs:
        steps = max(1, pairs // size)
        loop.max_epochs = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, -(-_STEPS // steps)))
        told += f'{loop.max_epochs} epochs of about {steps} step{"" if steps == 1 else "s"}'
    return [f'{told.removesuffix(", ")}.']


def _fill_batch(cfg: Config, pairs: int, persons: int) -> str:
    loader: ConfigDict = cfg.train_dataloader
    processes = get_world_size()
    meant = ((cfg.get('auto_scale_lr') or {}).get('base_batch_size') or _BATCH) // processes
    sampler: ConfigDict = loader.get('sampler') or ConfigDict()
    each = sampler.get('num_instances')
    if each is None:
        size = min(meant, pairs // processes)
        told = f'batches of {size}'
    else:
        if pairs == persons:  # a second pair of a person would be the first one again
            each = sampler.num_instances = 1
        identities = min(max(1, meant // each), persons // processes)
        size = sampler.batch_size = identities * each
        told = f'batches of {identities} persons x {each} pairs'
    if size < 2 or (each is not None and identities < 2):
        raise ValueError(
            f'train_dataloader.batch_size cannot be derived: the training set has {pairs} pairs of {persons} persons '
            f'for {processes} processes, and a batch needs two persons. Add persons, or take fewer for val and test '
            '(num_val_ids, num_test_ids).'
        )
    loader.batch_size = size
    if 'auto_scale_lr' in cfg:
        cfg.auto_scale_lr.base_batch_size = size * processes  # the data have no larger one
    return told
