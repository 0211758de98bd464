"""A GPU that is none: tensors that say they are on ``cuda``, compute on the CPU, and refuse to meet tensors there.

Torch's fake tensors notice the same, but stop at everything whose shape depends on data, such as ranking and packing.
"""

from contextlib import ExitStack
from unittest import mock

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
# Copies between devices, and the one function that wants a tensor of each.
_MEETING_PLACES = {aten._to_copy.default, aten.copy_.default, aten._pack_padded_sequence.default}


class _OnGPU(torch.Tensor):
    """A tensor of the pretended GPU around one of the CPU."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device='cuda',
        )

    def __init__(self, inner):
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _unwrap(value):
    if isinstance(value, _OnGPU):
        return value.inner
    if isinstance(value, torch.device) or (isinstance(value, str) and value.startswith('cuda')):
        return torch.device('cpu')
    return value


def _fused_gru_cell(inputs, hidden, state, input_bias=None, hidden_bias=None):
    """The kernel that only GPUs have; it also returns what its backward pass would need."""
    assert input_bias is None
    (r_i, z_i, n_i), (r_h, z_h, n_h) = inputs.chunk(3, 1), hidden.chunk(3, 1)
    reset, update = torch.sigmoid(r_i + r_h), torch.sigmoid(z_i + z_h)
    new = torch.tanh(n_i + reset * n_h)
    return new + update * (state - new), torch.empty(0)


def _run(func, args, kwargs):
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    here = [value for value in tensors if isinstance(value, _OnGPU)]
    # A number may come from anywhere, as in torch.
    elsewhere = [value for value in tensors if not isinstance(value, _OnGPU) and value.dim() > 0]
    if here and elsewhere and func not in _MEETING_PLACES:
        raise RuntimeError(f'{func} has tensors of shape {[tuple(v.shape) for v in elsewhere]} that are on the CPU')
    target = kwargs.get('device')
    gpu = bool(here) if target is None else torch.device(target).type == 'cuda'
    kernel = _fused_gru_cell if func is aten._thnn_fused_gru_cell.default else func
    result = kernel(*tree_map(_unwrap, args), **tree_map(_unwrap, kwargs))
    if func is aten._pack_padded_sequence.default:
        return _OnGPU(result[0]), result[1]
    if gpu:
        result = tree_map(lambda value: _OnGPU(value) if isinstance(value, torch.Tensor) else value, result)
    return return_and_correct_aliasing(func, args, kwargs, result) if here and gpu else result


class PretendedGPU(TorchDispatchMode):
    """Within it ``cuda`` is a device that exists, for everything but backward passes, whose threads want a driver."""

    def __enter__(self):
        # What torch's own fake tensors do so that nobody looks for a driver.
        self._settings = ExitStack()
        self._settings.enter_context(mock.patch('torch.cuda._lazy_init', return_value=None))
        self._settings.enter_context(torch.backends.cudnn.flags(enabled=False))
        self._settings.callback(torch._C._set_only_lift_cpu_tensors, False)
        torch._C._ensureCUDADeviceGuardSet()
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._settings.close()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def to_gpu(value):
    """Move tensors, or a module in place."""
    if isinstance(value, nn.Module):
        for part in value.modules():
            part._parameters = {
                name: weight if weight is None else nn.Parameter(_OnGPU(weight.data), weight.requires_grad)
                for name, weight in part._parameters.items()
            }
            part._buffers = {
                name: buffer if buffer is None else _OnGPU(buffer) for name, buffer in part._buffers.items()
            }
            if isinstance(part, nn.GRU):
                part._flat_weights = [getattr(part, name) for name in part._flat_weights_names]
        return value
    return tree_map(lambda item: _OnGPU(item) if isinstance(item, torch.Tensor) else item, value)


def to_cpu(value):
    """Give the tensors of the CPU inside; an error if one is there already."""

    def unwrap(item):
        if isinstance(item, torch.Tensor):
            assert isinstance(item, _OnGPU), f'a tensor of shape {tuple(item.shape)} is on the CPU'
            return item.inner
        return item

    return tree_map(unwrap, value)
