"""Encoder that runs a trained retriever."""

import copy
import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmtbps.core.arguments import checked
from mmtbps.core.build_limit import limited_building
from mmtbps.core.checkpoint import dataset_meta_of, load_checkpoint_file
from mmtbps.core.devices import named_device
from mmtbps.data_configs import ConfigReader, config_to_data, modules_of
from mmtbps.datasets.joining import leaf_configs
from mmtbps.datasets.tokenizers import Tokenizer
from mmtbps.engine.data_sizes import resolve_data_sizes
from mmtbps.models import DualStreamRetriever, encoders_of, fit_weights
from mmtbps.models.data_preprocessor import pad_tokens
from mmtbps.registry import ENCODERS, MODELS, TOKENIZER, TRANSFORMS
from mmtbps.zoo import read_config

from .base import Encoder, Fingerprint, ImageSource

__all__ = ['ModelEncoder', 'PipelineLoader', 'hash_json', 'prepare_images']


def hash_json(value: Any) -> str:
    """Hash of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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


def hash_model(model: nn.Module, config: dict[str, Any]) -> str:
    """Hash of the part of a model's config that determines its features.

    For a retriever that encodes like :class:`~mmtbps.models.DualStreamRetriever` these are the configs of its encoders:
    neither heads nor queues matter, nor whether it was trained with momentum keys. For other classes it is the whole
    config. It is given as data, see :func:`~mmtbps.data_configs.config_to_data`.
    """
    methods = ('encode_image', 'encode_text')
    if all(getattr(type(model), name, None) is getattr(DualStreamRetriever, name) for name in methods):
        config = {name: config.get(name) for name in encoders_of(model)}
    return hash_json(config)


def prepare_images(data_preprocessor: nn.Module, images: Tensor) -> Tensor:
    """Prepare loaded images (N, 3, H, W) for ``encode_image`` with the data preprocessor of a model."""
    samples = [DataSample(tokens=[]) for _ in images]
    inputs = data_preprocessor(dict(inputs=dict(image=images), data_samples=samples))['inputs']
    if 'images' not in inputs:
        raise ValueError(
            f'data_preprocessor {type(data_preprocessor).__name__} gives no images; use TBPSDataPreprocessor.'
        )
    return inputs['images']


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
            ValueError: If a transform fails or the pipeline gives no image.
        """
        transforms = list(enumerate(self.transforms))
        results: dict[str, Any] = dict(tokenizer=self.tokenizer, captions=[])
        if isinstance(image, np.ndarray):
            transforms = [entry for entry in transforms if not isinstance(entry[1], LoadImageFromFile)]
            results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        else:
            results['img_path'] = str(image)
        for number, transform in transforms:
            try:
                results = transform(results)
            except (OSError, MemoryError):
                raise
            except Exception as error:  # of transforms that do not belong together, or of a picture that one refuses
                name = f'pipeline[{number}] ({type(transform).__name__})'
                raise ValueError(f'{name} cannot prepare an image: {" ".join(repr(error).split()):.500}.') from error
        loaded = (results or {}).get('inputs', {}).get('image')
        if not isinstance(loaded, Tensor):
            raise ValueError("The pipeline must end in PackTBPSInputs, which gives ['inputs']['image'], but does not.")
        return loaded


@ENCODERS.register_module()
class ModelEncoder(Encoder):
    """Encoder that runs a trained retriever with the preprocessing of its config.

    Args:
        config: A config, its file, or its name, see :func:`mmtbps.zoo.read_config`. The test pipeline and tokenizer
            are those of ``test_dataloader`` (or ``val_dataloader``).
        checkpoint: File of the weights, at least those of the encoders; the vocabulary and sizes set by the training
            data are read from it.
        device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        TypeError: If the config holds something beside types that JSON has no word for.
        ValueError: If the config lacks a test set, the checkpoint does not fit the model's encoders, or there is no
            such device.
    """

    @checked()
    def __init__(
        self, config: Config | str | Path, checkpoint: str | Path, device: str | torch.device | None = None
    ) -> None:
        self.device = named_device(device)
        stored = load_checkpoint_file(checkpoint)
        meta = dataset_meta_of(stored, checkpoint)
        cfg = resolve_data_sizes(copy.deepcopy(config) if isinstance(config, Config) else read_config(config), meta)
        dataset = _evaluation_set(cfg)
        tokenizer = dict(dataset.get('tokenizer') or dict(type='WordTokenizer'))
        self.checkpoint = Path(checkpoint).absolute()
        self._configs, self._modules = _as_data(cfg, tokenizer, dataset.pipeline)
        self.tokenizer: Tokenizer = TOKENIZER.build(tokenizer)
        self.data_set = str(meta.get('dataset') or '')
        if meta.get('vocabulary') is not None:
            self.tokenizer.set_vocabulary(meta['vocabulary'])
        self.model = _load(cfg.model, stored, self.checkpoint).to(self.device)
        self.image_loader = PipelineLoader(dataset.pipeline, self.tokenizer)
        self.preprocessing = dict(
            pipeline=self._configs['pipeline'],
            data_preprocessor=self._configs['model'].get('data_preprocessor'),
            tokenizer=self._configs['tokenizer'],
            vocabulary=hash_json(self.tokenizer.vocabulary),
        )
        self.fingerprint = Fingerprint(
            hash_weights(self.model), hash_model(self.model, self._configs['model']), hash_json(self.preprocessing)
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
        """Return type and arguments: the configs of model, tokenizer and pipeline as data, and the checkpoint."""
        return dict(type='ModelEncoder', checkpoint=str(self.checkpoint), **self._configs)

    @classmethod
    def rebuild(
        cls, description: dict[str, Any], reader: ConfigReader, device: str | torch.device | None
    ) -> 'ModelEncoder':
        """Build the encoder again from what a gallery says about it; see :meth:`Encoder.rebuild`."""
        registries = dict(model=MODELS, tokenizer=TOKENIZER, pipeline=TRANSFORMS)
        missing = [name for name in (*registries, 'checkpoint') if name not in description]
        if missing or not isinstance(description['model'], Mapping) or not isinstance(description['pipeline'], list):
            raise ValueError(f'{reader.source}: encoder lacks {missing or "the config of a model"}. Index again.')
        model, tokenizer, pipeline = (
            reader.read(description[name], registry, f'encoder.{name}', sizes=name == 'model')
            for name, registry in registries.items()
        )
        dataset = dict(tokenizer=tokenizer, pipeline=pipeline)
        config = dict(
            default_scope='mmtbps',
            custom_imports=dict(imports=reader.modules),  # to be named again; nothing imports it here
            model=model,
            test_dataloader=dict(dataset=dataset),
        )
        checkpoint = Path(str(description['checkpoint']))
        size = checkpoint.stat().st_size if checkpoint.is_file() else 0  # one that is missing is told below
        with limited_building(f'{reader.source}: encoder.model', str(checkpoint), size):
            return cls(Config(config), checkpoint, device)

    @property
    def modules(self) -> list[str]:
        """Modules outside the libraries, those of ``custom_imports`` among them; see :attr:`Encoder.modules`."""
        return modules_of(None, [*self._modules, *super().modules])


def _evaluation_set(cfg: Config) -> Any:
    for name in ('test_dataloader', 'val_dataloader'):
        if cfg.get(name):
            return next(leaf_configs(cfg[name].dataset))
    raise ValueError(
        f'{cfg.filename or "The config"} has neither test_dataloader nor val_dataloader, whose dataset says how images '
        'and sentences are prepared (pipeline, tokenizer).'
    )


def _as_data(cfg: Config, tokenizer: dict, pipeline: Sequence[dict]) -> tuple[dict[str, Any], list[str]]:
    """What is needed to build the encoder again, as data, and the modules that its classes are from."""
    configs: dict[str, Any] = {}
    modules: set[str] = set()
    for name, config, registry in (
        ('model', cfg.model, MODELS), ('tokenizer', tokenizer, TOKENIZER), ('pipeline', pipeline, TRANSFORMS)
    ):  # fmt: skip
        configs[name], own = config_to_data(config, registry, name)
        modules |= own
    return configs, modules_of((cfg.get('custom_imports') or {}).get('imports'), modules)


def _load(config: dict, stored: dict[str, Any], checkpoint: Path) -> Any:
    model = MODELS.build(config)
    for line in fit_weights(model, stored, 'inference', str(checkpoint)):
        warnings.warn(line, stacklevel=3)  # a log would stand among the answers
    return model.eval()
