"""The registries of mmtbps: one node per concept.

Every node is a child of MMPretrain's node of the same concept, so that a config may name a class of
mmtbps, MMPretrain or MMEngine without a prefix. Each node is also made known to the root registry of its
concept, so that ``mmtbps.X`` resolves whatever the default scope is.
"""

from mmengine.registry import Registry
from mmpretrain import registry as mmpretrain_registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'TOKENIZER',
    'TRANSFORMS',
    'VISUALIZERS',
]


def _child(name: str, room: str) -> Registry:
    """Make the mmtbps node below MMPretrain's node ``name``; its classes live in ``mmtbps.<room>``."""
    parent = getattr(mmpretrain_registry, name)
    node = Registry(
        parent.name,
        parent=parent,
        scope='mmtbps',
        locations=[*parent._locations, f'mmtbps.{room}'],
    )
    # A lookup of 'mmtbps.X' from another scope starts at the root, which knows only its direct children.
    node._get_root_registry()._children.setdefault('mmtbps', node)
    return node


DATASETS = _child('DATASETS', 'datasets')
DATA_SAMPLERS = _child('DATA_SAMPLERS', 'datasets')
TRANSFORMS = _child('TRANSFORMS', 'datasets')
TOKENIZER = _child('TOKENIZER', 'datasets')

MODELS = _child('MODELS', 'models')

HOOKS = _child('HOOKS', 'engine')
LOOPS = _child('LOOPS', 'engine')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')

METRICS = _child('METRICS', 'evaluation')
VISUALIZERS = _child('VISUALIZERS', 'visualization')
