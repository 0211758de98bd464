"""Building the encoder that a gallery or a folder of shards describes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmtbps.data_configs import ConfigReader
from mmtbps.registry import ENCODERS
from mmtbps.zoo import model_files

from .base import Encoder

__all__ = ['rebuild_encoder']


def rebuild_encoder(
    manifest: Mapping[str, Any],
    source: str | Path,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    trusted_modules: Sequence[str] = (),
) -> Encoder:
    """Build an encoder from what a file of data says about it.

    Args:
        manifest: Content of the file: the ``encoder``, and the ``modules`` of classes that are not of the libraries.
        source: The file, for messages.
        device: Where the model runs. Defaults to None: CUDA if there is one, else the CPU.
        checkpoint: File of the weights, if it has been moved. Defaults to None: the one that the file names.
        trusted_modules: Modules that may be imported. Defaults to none, since importing runs their code.

    Returns:
        The encoder.

    Raises:
        FileNotFoundError: If the weights are no longer where they were.
        ImportError: If a trusted module cannot be imported.
        ValueError: If the file asks for a module that is not trusted, a class that is not registered, or more than data
            may ask for.
    """
    reader = ConfigReader(str(source), manifest.get('modules', ()), trusted_modules)
    description = manifest.get('encoder')
    if not isinstance(description, Mapping):
        raise ValueError(f'{source}: encoder must be an object with a type, got {description!r:.80}. Index again.')
    kind = reader.find(description.get('type'), ENCODERS, 'encoder')
    arguments = {name: value for name, value in description.items() if name != 'type'}
    if checkpoint is not None:
        arguments['checkpoint'] = str(checkpoint)
    elif 'checkpoint' in arguments:
        arguments['checkpoint'] = _stored_weights(str(arguments['checkpoint']), source)
    own = [str(checkpoint)] * (checkpoint is not None) + [f'device {device}'] * (device is not None)
    with reader.building(f'encoder {description["type"]}', own):
        return kind.rebuild(arguments, reader, device)


def _stored_weights(checkpoint: str, source: str | Path) -> str:
    """The weights that a file of data names; those of a fetched model may have moved with all the others."""
    own = model_files(Path(checkpoint).parent.name)[1]
    for place in (Path(checkpoint), *([own] if Path(checkpoint).parts[-3:] == own.parts[-3:] else [])):
        if place.is_file():
            return str(place)
    raise FileNotFoundError(
        f'The weights that {Path(source).parent} was made with are no longer at {checkpoint}. Give their new place '
        '(--checkpoint), or the name of the model (--model), or, if they are gone, index anew into another folder.'
    )
