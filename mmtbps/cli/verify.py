"""``mmtbps verify``: check a data set before training."""

from typing import TYPE_CHECKING

from .arguments import CfgOptions, config_of, pairs

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['verify']


def verify(
    source: str,
    data_root: str | None = None,
    /,
    *,
    json: str | None = None,
    workers: int | None = None,
    cfg_options: CfgOptions = None,
) -> int:
    """Check a data set: missing and undecodable images, suspicious captions, counts per split.

    For example:

        mmtbps verify CUHKPEDES data/cuhk_pedes
        mmtbps verify my_config.py

    Args:
        source: Config file or its name; or class of the data set, such as CUHKPEDES.
        data_root: Folder of the data set, if a class is given.
        json: Write the reports to this file.
        workers: Threads that decode images (default: by the number of CPUs).
        cfg_options: Override settings of the config, or give arguments of the class: `key=value ...`.

    Returns:
        1 if the data set has faults, else 0.
    """
    from mmtbps.core.files import write_atomically
    from mmtbps.core.json_text import format_json
    from mmtbps.datasets.verify import datasets_of_config, format_report, verify_dataset

    try:
        datasets = datasets_of_config(_config(source, data_root, cfg_options))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{source}: {error} Arguments of a class are given by --cfg-options key=value.') from error
    reports = [verify_dataset(dataset, workers) for dataset in datasets]
    print('\n'.join(format_report(report) for report in reports))
    if json:
        write_atomically(json, format_json(reports).encode())
    return int(any(report['broken'] for report in reports))


def _config(source: str, data_root: str | None, cfg_options: list[str] | None) -> 'Config':
    """The config of the data set, whose data are not read yet."""
    from pathlib import Path

    from mmengine.registry import init_default_scope

    from mmtbps.datasets.verify import config_of_class
    from mmtbps.zoo.models import is_model

    if data_root is not None:
        cfg = config_of_class(source, data_root)
        cfg.merge_from_dict({f'test_dataloader.dataset.{key}': value for key, value in pairs(cfg_options).items()})
    elif Path(source).is_file() or '::' in source or is_model(source):
        cfg = config_of(source, cfg_options)
    else:
        raise ValueError(f'{source} is no config file; give the data root too if it is a class.')
    init_default_scope(cfg.get('default_scope', 'mmtbps'))
    return cfg
