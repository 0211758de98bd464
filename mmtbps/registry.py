"""The registries of mmtbps: one node per concept.

Every node is a child of MMPretrain's node of the same concept, so that a config can name a class of mmtbps, MMPretrain
or MMEngine without a prefix. Each node is also registered with the root registry of its concept, so that ``mmtbps.X``
resolves under any default scope.
"""

from mmengine.registry import Registry
from mmpretrain import registry as mmpretrain_registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'DETECTORS',
    'ENCODERS',
    'EVALUATORS',
    'HOOKS',
    'INDEXES',
    'LOG_PROCESSORS',
    'LOOPS',
    'METRICS',
    'MODELS',
    'MODEL_WRAPPERS',
    'OPTIMIZERS',
    'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'RERANKERS',
    'RUNNERS',
    'TOKENIZER',
    'TRANSFORMS',
    'VISBACKENDS',
    'VISUALIZERS',
    'WEIGHT_INITIALIZERS',
]


def _child(name: str, room: str) -> Registry:
    """Create the mmtbps node below MMPretrain's node ``name``; its classes are in ``mmtbps.<room>``."""
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
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS', 'models')

HOOKS = _child('HOOKS', 'engine')
LOOPS = _child('LOOPS', 'engine')
LOG_PROCESSORS = _child('LOG_PROCESSORS', 'engine')
RUNNERS = _child('RUNNERS', 'engine')
OPTIMIZERS = _child('OPTIMIZERS', 'engine')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS', 'engine')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS', 'engine')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS', 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS', 'engine')

METRICS = _child('METRICS', 'evaluation')
# MMPretrain has no re-rankers, encoders, vector indexes and detectors, so that these nodes are roots.
RERANKERS = Registry('reranker', scope='mmtbps', locations=['mmtbps.evaluation'])
ENCODERS = Registry('encoder', scope='mmtbps', locations=['mmtbps.search', 'mmtbps.deploy'])
INDEXES = Registry('index', scope='mmtbps', locations=['mmtbps.search'])
DETECTORS = Registry('detector', scope='mmtbps', locations=['mmtbps.video.detectors'])
EVALUATORS = _child('EVALUATORS', 'evaluation')
VISUALIZERS = _child('VISUALIZERS', 'visualization')
VISBACKENDS = _child('VISBACKENDS', 'visualization')
