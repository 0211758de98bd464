"""Encoder that runs a trained retriever."""

import copy
import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmtbps.core.checkpoint import load_checkpoint_file
from mmtbps.datasets.tokenizers import Tokenizer
from mmtbps.engine.data_sizes import resolve_data_sizes
from mmtbps.models import DualStreamRetriever, encoders_of, fit_weights
from mmtbps.models.data_preprocessor import pad_tokens
from mmtbps.registry import ENCODERS, MODELS, TOKENIZER, TRANSFORMS

from .base import Encoder, Fingerprint, ImageSource

__all__ = ['ModelEncoder', 'PipelineLoader', 'hash_json', 'prepare_images']


def hash_json(value: Any) -> str:
    """Hash of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def hash_weights(model: nn.Module) -> str:
    """Hash of all names, types, shapes and bytes of the weights and buffers of a model's encoders."""
    encoders = encoders_of(model)
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        # How many batches a norm has seen decides no feature, and not every file says it.
        if name.split('.')[0] in encoders and not name.endswith('num_batches_tracked'):
            digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def hash_model(model: nn.Module, config: Any) -> str:
    """Hash of the part of a model's config that determines its features.

    For a retriever that encodes like :class:`~mmtbps.models.DualStreamRetriever` these are the configs of its encoders:
    neither heads nor queues matter, nor whether it was trained with momentum keys. For other classes it is the whole
    config. Initial weights (``init_cfg``) are ignored, since all encoders are loaded.
    """
    methods = ('encode_image', 'encode_text')
    if all(getattr(type(model), name, None) is getattr(DualStreamRetriever, name) for name in methods):
        config = {name: config.get(name) for name in encoders_of(model)}
    return hash_json(_without_initialisation(_plain(config)))


def _without_initialisation(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_initialisation(value) for key, value in node.items() if key != 'init_cfg'}
    return [_without_initialisation(value) for value in node] if isinstance(node, list) else node


def prepare_images(data_preprocessor: nn.Module, images: Tensor) -> Tensor:
    """Prepare loaded images (N, 3, H, W) for ``encode_image`` with the data preprocessor of a model."""
    samples = [DataSample(tokens=[]) for _ in images]
    return data_preprocessor(dict(inputs=dict(image=images), data_samples=samples))['inputs']['images']


class PipelineLoader:
    """Run the test pipeline of a config on one image.

    Args:
        pipeline: Configs of the transforms, of which the first reads the file.
        tokenizer: Tokenizer for the caption transforms of the pipeline; images have no captions here.
    """

    def __init__(self, pipeline: Sequence[dict], tokenizer: Tokenizer) -> None:
        self.transforms = [TRANSFORMS.build(dict(transform)) for transform in pipeline]
        self.tokenizer = tokenizer

    def __call__(self, image: ImageSource) -> Tensor:
        """Load one image.

        Args:
            image: A file, or an array (H, W, 3) uint8, BGR.

        Returns:
            Input of the model's data preprocessor, (3, H, W) uint8.

        Raises:
            OSError: If the file cannot be read.
        """
        transforms = self.transforms
        results: dict[str, Any] = dict(tokenizer=self.tokenizer, captions=[])
        if isinstance(image, np.ndarray):
            transforms = [transform for transform in transforms if not isinstance(transform, LoadImageFromFile)]
            results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        else:
            results['img_path'] = str(image)
        for transform in transforms:
            results = transform(results)
        return results['inputs']['image']


@ENCODERS.register_module()
class ModelEncoder(Encoder):
    """Encoder that runs a trained retriever with the preprocessing of its config.

    Args:
        config: A config, its file, or its text. The test pipeline and tokenizer are those of ``test_dataloader`` (or
            ``val_dataloader``).
        checkpoint: File of the weights, at least those of the encoders; the vocabulary and sizes set by the training
            data are read from it.
        device: Where the model runs. Defaults to ``'cpu'``, which every machine has.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the config lacks a test set, or the checkpoint does not fit the model's encoders.
    """

    def __init__(self, config: Config | str | Path, checkpoint: str | Path, device: str | torch.device = 'cpu') -> None:
        stored = load_checkpoint_file(checkpoint)
        meta = stored.get('meta', {}).get('dataset_meta') or {}
        cfg = resolve_data_sizes(_read_config(config), meta)
        dataset = _evaluation_set(cfg)
        self.checkpoint = Path(checkpoint).absolute()
        self.device = torch.device(device)
        self.config = _essentials(cfg, dataset)
        self.tokenizer: Tokenizer = TOKENIZER.build(dict(dataset.get('tokenizer', dict(type='WordTokenizer'))))
        if meta.get('vocabulary') is not None:
            self.tokenizer.set_vocabulary(meta['vocabulary'])
        self.model = _load(cfg.model, stored, self.checkpoint).to(self.device)
        self.image_loader = PipelineLoader(dataset.pipeline, self.tokenizer)
        self.preprocessing = dict(
            pipeline=_plain(dataset.pipeline),
            data_preprocessor=_plain(cfg.model.get('data_preprocessor')),
            tokenizer=_plain(dataset.get('tokenizer')),
            vocabulary=hash_json(self.tokenizer.vocabulary),
        )
        self.fingerprint = Fingerprint(
            hash_weights(self.model), hash_model(self.model, cfg.model), hash_json(self.preprocessing)
        )

    @torch.inference_mode()
    def embed_images(self, images: Tensor) -> Tensor:
        """Embed one batch of loaded images (N, 3, H, W) as (N, D), not normalised."""
        return self.model.encode_image(prepare_images(self.model.data_preprocessor, images))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed one batch of sentences as (M, D), not normalised."""
        tokens, lengths = pad_tokens([self.tokenizer.encode(text) for text in texts], self.tokenizer.pad_id)
        return self.model.encode_text(tokens.to(self.device), lengths)

    def describe(self) -> dict[str, Any]:
        """Return the config of this encoder: the essential part of the model's config as text, and the checkpoint."""
        return dict(type='ModelEncoder', config=self.config.pretty_text, checkpoint=str(self.checkpoint))


def _read_config(config: Config | str | Path) -> Config:
    if isinstance(config, Config):
        return copy.deepcopy(config)
    if '\n' in str(config):
        return Config.fromstring(str(config), '.py')
    return Config.fromfile(config)


def _evaluation_set(cfg: Config) -> Any:
    for name in ('test_dataloader', 'val_dataloader'):
        if cfg.get(name):
            return cfg[name].dataset
    raise ValueError(
        f'{cfg.filename or "The config"} has neither test_dataloader nor val_dataloader, whose dataset says how images '
        'and sentences are prepared (pipeline, tokenizer).'
    )


def _essentials(cfg: Config, dataset: Any) -> Config:
    """Extract the part of a config that is needed to build the encoder again."""
    keys = ('type', 'tokenizer', 'pipeline')
    kept = dict(dataset={key: dataset[key] for key in keys if key in dataset})
    return Config(dict(default_scope=cfg.get('default_scope', 'mmtbps'), model=cfg.model, test_dataloader=kept))


def _load(config: dict, stored: dict[str, Any], checkpoint: Path) -> Any:
    model = MODELS.build(config)
    for line in fit_weights(model, stored, 'inference', str(checkpoint)):
        warnings.warn(line, stacklevel=3)  # a log would stand among the answers
    return model.eval()


def _plain(value: Any) -> Any:
    """Convert config types to plain ones and tuples to lists, as JSON does."""
    return json.loads(json.dumps(value, default=str))
