"""Features of an exported model as another process computes them, which has nothing but the folder."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .onnx_encoder import ONNXEncoder

__all__ = ['encode_in_fresh_process']

_TASK, _IMAGES, _FEATURES = 'task.json', 'images.npz', 'features.npz'


def encode_in_fresh_process(
    folder: str | Path,
    images: Sequence[np.ndarray],
    sentences: Sequence[str],
    batch_size: int,
    trusted_modules: Sequence[str] = (),
) -> tuple[Tensor, Tensor]:
    """Open an exported model in a process of its own and encode with it.

    Args:
        folder: Folder of the export.
        images: Arrays (H, W, 3) uint8, BGR.
        sentences: Sentences.
        batch_size: Images or sentences per batch.
        trusted_modules: Modules that the export needs; they are imported there by name.

    Returns:
        Unit features of the images (N, D) and of the sentences (M, D).

    Raises:
        RuntimeError: If the model cannot be opened or run there; with what that process said last.
    """
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(Path(scratch) / _IMAGES, *images)
        task = dict(
            folder=str(Path(folder).absolute()), sentences=list(sentences), batch_size=batch_size,
            trusted_modules=list(trusted_modules),
        )  # fmt: skip
        (Path(scratch) / _TASK).write_text(json.dumps(task), encoding='utf-8')
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        done = subprocess.run(
            [sys.executable, '-c', f'import sys, {__name__} as fresh; fresh.encode_task(sys.argv[1])', scratch],
            env=dict(os.environ, PYTHONPATH=paths), capture_output=True, text=True, errors='replace',
        )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
            raise RuntimeError(f'The exported model cannot be used by another process: {last}')
        features = np.load(Path(scratch) / _FEATURES)
        return torch.from_numpy(features['images']), torch.from_numpy(features['texts'])


def encode_task(folder: str) -> None:
    """What the other process does."""
    scratch = Path(folder)
    task = json.loads((scratch / _TASK).read_text(encoding='utf-8'))
    arrays = np.load(scratch / _IMAGES)
    encoder = ONNXEncoder(task['folder'], trusted_modules=task['trusted_modules'])
    np.savez(
        scratch / _FEATURES,
        images=encoder.encode_images([arrays[name] for name in arrays.files], task['batch_size']).numpy(),
        texts=encoder.encode_texts(task['sentences'], task['batch_size']).numpy(),
    )
