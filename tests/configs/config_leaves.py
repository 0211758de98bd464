"""The configs that users train, loaded once each."""

import copy
import functools
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmtbps
from mmtbps.apis import resolve_data_sizes
from mmtbps.engine.config_checks import check_config

CONFIGS = Path(mmtbps.__file__).parents[1] / 'configs'
LEAVES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.glob('[a-z]*/*.py'))
PAPER = [leaf for leaf in LEAVES if '80e' in leaf]
VOCABULARY = ['<pad>', '<unk>', *(f'word{i}' for i in range(30))]
META = dict(vocabulary=VOCABULARY, person_ids=list(range(8)))


@functools.cache
def _load(leaf):
    cfg = Config.fromfile(CONFIGS / leaf)
    init_default_scope(cfg.default_scope)
    check_config(cfg)
    return resolve_data_sizes(cfg, META)


def load(leaf):
    """A copy of the config, its sizes resolved."""
    init_default_scope('mmtbps')
    return copy.deepcopy(_load(leaf))
