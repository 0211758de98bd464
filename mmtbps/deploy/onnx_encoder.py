"""Encoder that runs an exported model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.core.devices import default_device
from mmtbps.data_configs import ConfigReader
from mmtbps.datasets.tokenizers import Tokenizer
from mmtbps.models.data_preprocessor import pad_tokens
from mmtbps.registry import ENCODERS, MODELS, TOKENIZER, TRANSFORMS
from mmtbps.search import Encoder, Fingerprint
from mmtbps.search.encoders.model_encoder import PipelineLoader, prepare_images

from .bundle import IMAGE_GRAPH, MANIFEST, TEXT_GRAPH, Bundle
from .extras import import_deploy

__all__ = ['ONNXEncoder']

_PROVIDERS = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider'}


@ENCODERS.register_module()
class ONNXEncoder(Encoder):
    """Encoder that runs the two graphs of an exported model with onnxruntime, without a torch network.

    It has the fingerprint of the exported model, so that either can search a gallery that the other indexed. An int8
    model has a fingerprint of its own. What the export's JSON says is checked and never run.

    Args:
        folder: Folder of the export.
        device: ``'cpu'`` or ``'cuda'`` (which needs the package onnxruntime-gpu). Defaults to None: CUDA if
            onnxruntime supports it and there is one, else the CPU.
        num_threads: Threads of onnxruntime. Defaults to None: one per core.
        trusted_modules: Modules that tokenizer, transforms or preprocessor of the export are from, if these are not of
            the libraries. Defaults to none, since importing a module runs its code.

    Raises:
        FileNotFoundError: If a file is missing.
        ImportError: If onnxruntime is not installed or a trusted module cannot be imported.
        ValueError: If a checksum differs, onnxruntime does not support the device or open the graphs, what the JSON
            prepares has another size than the graph, or the JSON asks for a module that is not trusted, a class that
            is not registered, or more than data may ask for.
    """

    @checked(num_threads=positive)
    def __init__(
        self,
        folder: str | Path,
        device: str | torch.device | None = None,
        num_threads: int | None = None,
        trusted_modules: Sequence[str] = (),
    ) -> None:
        self.folder = Path(folder).absolute()
        self.bundle = bundle = Bundle.load(self.folder)
        reader = ConfigReader(str(self.folder / MANIFEST), bundle.modules, trusted_modules)
        tokenizer = reader.read(bundle.tokenizer, TOKENIZER, 'tokenizer')
        pipeline = reader.read(bundle.pipeline, TRANSFORMS, 'pipeline')
        preprocessor = reader.read(bundle.data_preprocessor, MODELS, 'data_preprocessor')
        init_default_scope('mmtbps')
        with reader.building('tokenizer'):
            self.tokenizer: Tokenizer = TOKENIZER.build(tokenizer)
            if bundle.vocabulary is not None:
                self.tokenizer.set_vocabulary(bundle.vocabulary)
            self.tokenizer.encode('')  # which is refused without words
        with reader.building('pipeline'):
            self.image_loader = PipelineLoader(pipeline, self.tokenizer)
        with reader.building('data_preprocessor'):
            self.data_preprocessor = MODELS.build(preprocessor)
        self.preprocessing = dict(
            pipeline=bundle.pipeline, data_preprocessor=bundle.data_preprocessor, tokenizer=bundle.tokenizer
        )
        with reader.building('fingerprint'):
            self.fingerprint = Fingerprint(**bundle.fingerprint)
        if self.tokenizer.pad_id != bundle.pad_id:
            raise ValueError(
                f'{reader.source}: pad_id is {bundle.pad_id}, but that of its tokenizer is {self.tokenizer.pad_id}. '
                'Export the model again.'
            )
        self.images, self.texts = (
            _session(self.folder / name, device, num_threads) for name in (IMAGE_GRAPH, TEXT_GRAPH)
        )
        self._try_image(reader)

    def _try_image(self, reader: ConfigReader) -> None:
        """Prepare a black image and compare its size with the graph's."""
        taken = [value.shape for value in self.images.get_inputs()]
        if [shape[2:] for shape in taken] != [self.bundle.image_size]:
            raise ValueError(
                f'{reader.source}: image_size is {self.bundle.image_size}, but {IMAGE_GRAPH} takes {taken}. '
                'Export the model again.'
            )
        with reader.building('pipeline'):
            image = self.image_loader(np.zeros((60, 30, 3), np.uint8))
            self._require_size(image)
        with reader.building('data_preprocessor'):
            self._require_size(prepare_images(self.data_preprocessor, image[None]))

    def _require_size(self, images: Tensor) -> None:
        """Refuse images (..., H, W) of another size than the graph's."""
        if images.shape[-3:] != (3, *self.bundle.image_size):
            raise ValueError(
                f'{self.folder / MANIFEST}: its pipeline and data_preprocessor give images {tuple(images.shape[-3:])}, '
                f'but its graph takes {(3, *self.bundle.image_size)}. Export the model again.'
            )

    def embed_images(self, images: Tensor) -> Tensor:
        """Embed one batch of loaded images (N, 3, H, W) as (N, D), not normalised.

        Raises:
            ValueError: If they have another size than the export is for, or the graph does not run.
        """
        prepared = prepare_images(self.data_preprocessor, images)
        self._require_size(prepared)
        return self._run(self.images, IMAGE_GRAPH, images=prepared)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed one batch of sentences as (M, D), not normalised.

        Raises:
            ValueError: If the graph does not run.
        """
        tokens, lengths = pad_tokens([self.tokenizer.encode(text) for text in texts], self.bundle.pad_id)
        return self._run(self.texts, TEXT_GRAPH, tokens=tokens, lengths=lengths)

    def _run(self, session: Any, graph: str, **inputs: Tensor) -> Tensor:
        values = {name: value.contiguous().numpy() for name, value in inputs.items()}
        try:
            return torch.from_numpy(session.run(None, values)[0])
        except Exception as error:  # onnxruntime's have no common kind
            raise ValueError(
                f'{self.folder / graph} does not run with what {MANIFEST} prepares ({_reason(error)}). Export the '
                'model again.'
            ) from error

    def describe(self) -> dict[str, Any]:
        """Return the config of this encoder: the folder of the export."""
        return dict(type='ONNXEncoder', folder=str(self.folder))

    @classmethod
    def rebuild(
        cls, description: dict[str, Any], reader: ConfigReader, device: str | torch.device | None
    ) -> 'ONNXEncoder':
        """Open the export that a gallery names; see :meth:`Encoder.rebuild`."""
        folder = description.get('folder')
        if not isinstance(folder, str):
            raise ValueError(f'{reader.source}: encoder must name the folder of an export, got {folder!r}.')
        return cls(folder, device, trusted_modules=reader.trusted)

    @property
    def modules(self) -> list[str]:
        """Modules that the export needs; see :attr:`Encoder.modules`."""
        return list(self.bundle.modules)


def _session(file: Path, device: str | torch.device | None, num_threads: int | None) -> Any:
    onnxruntime = import_deploy('onnxruntime')
    there = onnxruntime.get_available_providers()
    if device is None:
        device = default_device() if _PROVIDERS['cuda'] in there else 'cpu'
    provider = _PROVIDERS.get(str(device).partition(':')[0])
    if provider not in there:
        raise ValueError(
            f'device {device} is none that this onnxruntime supports; it has {", ".join(there)}. '
            "Use device='cpu', or install onnxruntime-gpu for 'cuda'."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # no hints about the graphs
    if num_threads is not None:
        options.intra_op_num_threads = num_threads
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=[provider])
    except Exception as error:  # onnxruntime's have no common kind
        raise ValueError(f'onnxruntime cannot open {file} ({_reason(error)}). Export the model again.') from error


def _reason(error: Exception) -> str:
    return f'{" ".join(str(error).split()):.300}'
