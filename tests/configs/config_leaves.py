"""The configs that users train, leaves and variants of studies, loaded once each."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmtbps
from mmtbps.apis import resolve_data_sizes
from mmtbps.apis.studies import Study
from mmtbps.engine.config_checks import check_config

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
LEAVES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.glob('[a-z]*/*.py'))
PAPER = [leaf for leaf in LEAVES if '80e' in leaf]
VOCABULARY = ['<pad>', '<unk>', *(f'word{i}' for i in range(30))]
META = dict(vocabulary=VOCABULARY, person_ids=list(range(8)))


def _read_variants():
    for path in sorted((CONFIGS / '_studies_').glob('*.py')):
        for data_set in Config.fromfile(path).variants:
            study = Study.fromfile(path, data_set)
            for variant in study.variants:
                yield f'{study.name}: {variant.name}', variant.config


_VARIANTS = dict(_read_variants())
VARIANTS = list(_VARIANTS)


@functools.cache
def _load(name):
    cfg = _VARIANTS[name] if name in _VARIANTS else Config.fromfile(CONFIGS / name)
    init_default_scope(cfg.default_scope)
    check_config(cfg)
    return resolve_data_sizes(cfg, META)


def load(name):
    """A copy of the config of a leaf or of a study's variant, its sizes resolved."""
    init_default_scope('mmtbps')
    return copy.deepcopy(_load(name))
