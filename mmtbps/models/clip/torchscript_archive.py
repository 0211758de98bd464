"""Reading the weights of a TorchScript archive without running it."""

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ['is_torchscript', 'read_torchscript_weights']

_DTYPES = {
    'BFloat16Storage': torch.bfloat16,
    'BoolStorage': torch.bool,
    'ByteStorage': torch.uint8,
    'CharStorage': torch.int8,
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'IntStorage': torch.int32,
    'LongStorage': torch.int64,
    'ShortStorage': torch.int16,
}


def is_torchscript(path: str | os.PathLike) -> bool:
    """Tell whether a file is a TorchScript archive, which unlike other files of torch holds a table of constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('/constants.pkl') for name in archive.namelist())


def read_torchscript_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read all tensors of a scripted or traced module.

    ``torch.jit.load`` would compile the archive's code and run what it says about loading; an archive is a program.
    Here its table of objects is unpickled with nothing but tensors and empty objects allowed, and code is not read.

    Args:
        path: Archive, such as OpenAI publishes CLIP in.

    Returns:
        Tensors by their dotted names, with the dtypes they are stored in. Parameters, buffers and other tensors that a
        module holds are not told apart.

    Raises:
        pickle.UnpicklingError: If there are objects of other kinds.
        zipfile.BadZipFile: If the file is cut short or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith('/data.pkl'))
        with archive.open(name) as file:
            module = _ArchiveUnpickler(file, archive, name.removesuffix('data.pkl')).load()
    return dict(_tensors(module, ''))


class _Object:
    """Stands for an object of a class of the archive: its attributes and nothing else."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.attributes = state


def _tensors(module: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Object):
            yield from _tensors(value, f'{prefix}{name}.')


class _ArchiveUnpickler(pickle.Unpickler):
    """Unpickles objects, plain containers and tensors; refuses all else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self.archive = archive
        self.root = root
        self.storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Allow what TorchScript writes for a module of plain weights."""
        if module.split('.')[0] == '__torch__':
            return _Object
        if module == 'torch' and name in _DTYPES:
            return name
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return self._rebuild_tensor
        if module == 'torch.jit._pickle' and (name.startswith('build_') or name == 'restore_type_tag'):
            return self._plain_value
        raise pickle.UnpicklingError(f'it asks for {module}.{name}, which plain weights do not need')

    def persistent_load(self, pid: Any) -> Tensor:
        """Read a storage, once."""
        _, kind, key, _, count = pid
        if key not in self.storages:
            content = bytearray(self.archive.read(f'{self.root}data/{key}'))
            dtype = _DTYPES[kind]
            empty = torch.empty(0, dtype=dtype)  # torch takes no empty buffer
            self.storages[key] = torch.frombuffer(content, dtype=dtype, count=count) if count else empty
        return self.storages[key]

    def _rebuild_tensor(self, storage: Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
        return storage.as_strided(size, stride, offset)

    def _plain_value(self, value: Any, *_: Any) -> Any:
        return value
