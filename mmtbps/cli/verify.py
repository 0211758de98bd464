"""``mmtbps verify``: check a data set before training."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .arguments import OWN, CfgOptions, config_of
from .settings import pairs

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['verify']


def verify(
    source: str,
    data_root: str | None = None,
    /,
    *,
    images: Annotated[str | None, OWN] = None,
    val_ids: Annotated[int | None, OWN] = None,
    test_ids: Annotated[int | None, OWN] = None,
    json: str | None = None,
    workers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    cfg_options: CfgOptions = None,
) -> int:
    """Check a data set: missing and undecodable images, suspicious captions, counts per split, batches of a training.

    For example:

        mmtbps verify CUHKPEDES data/cuhk_pedes
        mmtbps verify my_config.py
        mmtbps verify captions.csv

    Args:
        source: Config file or its name; a table of your own; or class of the data set, such as CUHKPEDES.
        data_root: Folder of the data set, if a class is given.
        images: Folder of the images of your own table (default: imgs beside the table, or else the table's own).
        val_ids: Persons that the training would take for val, see mmtbps train.
        test_ids: Persons for test, likewise.
        json: Write the reports to this file.
        workers: Threads that decode images (default: by the number of CPUs).
        cfg_options: Override settings of the config, or give arguments of the class: `key=value ...`.

    Returns:
        1 if the data set has faults, else 0.
    """
    from mmtbps.core.files import write_atomically
    from mmtbps.core.json_text import format_json
    from mmtbps.datasets.verify import datasets_of_config, format_report, verify_dataset, verify_together
    from mmtbps.engine.own_data import apply_own_data

    cfg = _config(source, data_root, cfg_options)
    _set_own_data(cfg, source, images=images, num_val_ids=val_ids, num_test_ids=test_ids)
    notes = apply_own_data(cfg)
    try:
        datasets = datasets_of_config(cfg)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{source}: {error} Arguments of a class are given by --cfg-options key=value.') from error
    reports = [*(verify_dataset(dataset, workers) for dataset in datasets), *verify_together(datasets)]
    print('\n'.join(format_report(report) for report in reports))
    broken = any(report['broken'] for report in reports)
    if not broken and {'train_dataloader', 'train_cfg'} <= set(cfg):
        print('\n'.join([*notes, *_batches(cfg)]))
    if json:
        write_atomically(json, format_json(reports).encode())
    return int(broken)


def _set_own_data(cfg: 'Config', source: str, **given: str | int | None) -> None:
    """Add to ``own_data`` of the config what the command line says of it."""
    given = {key: value for key, value in given.items() if value is not None}
    if given and 'own_data' not in cfg:
        raise ValueError(f'--images, --val-ids and --test-ids are for a table of your own; {source} is none.')
    if given:
        cfg.own_data = dict(cfg.own_data if isinstance(cfg.own_data, dict) else dict(table=cfg.own_data), **given)


def _batches(cfg: 'Config') -> list[str]:
    """Sentences on the batches that a training would draw."""
    from mmtbps.engine.loaders import check_batch_size, describe_batches
    from mmtbps.engine.own_data import derive_numbers

    told = derive_numbers(cfg)
    check_batch_size(cfg)
    return [*told, describe_batches(cfg)]


def _config(source: str, data_root: str | None, cfg_options: list[str] | None) -> 'Config':
    """The config of the data set, whose data are not read yet."""
    from pathlib import Path

    from mmengine.registry import init_default_scope

    from mmtbps.datasets.verify import config_of_class
    from mmtbps.zoo.models import is_model

    if data_root is not None:
        cfg = config_of_class(source, data_root)
        cfg.merge_from_dict({f'test_dataloader.dataset.{key}': value for key, value in pairs(cfg_options).items()})
    elif source.endswith(('.csv', '.jsonl')):
        cfg = config_of('own-data_tiny', None)
        cfg.own_data = dict(table=source)
        # `own_data.images`, as for the training, or `images` alone.
        cfg.merge_from_dict({f'own_data.{key.removeprefix("own_data.")}': v for key, v in pairs(cfg_options).items()})
    elif Path(source).is_file() or '::' in source or is_model(source):
        cfg = config_of(source, cfg_options)
    else:
        raise ValueError(f'{source} is no config file; give the data root too if it is a class.')
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    return cfg
