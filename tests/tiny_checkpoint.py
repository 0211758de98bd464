"""A checkpoint of the toy model with fresh weights, as a run would have written it."""

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmtbps  # noqa: F401
from mmtbps.apis import resolve_data_sizes
from mmtbps.registry import MODELS

CONFIG = 'configs/dual_stream/dual-stream_tiny_toypedes.py'


def write_checkpoint(file, words, dataset='ToyPEDES', seed=0):
    """Save a model that knows ``words`` and says that it was trained on ``dataset``."""
    meta = dict(dataset=dataset, vocabulary=['<pad>', '<unk>', *words], person_ids=[1, 2, 3])
    cfg = Config.fromfile(CONFIG)
    init_default_scope('mmtbps')
    torch.manual_seed(seed)
    model = MODELS.build(resolve_data_sizes(cfg, meta).model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta)), file)
    return str(file)
