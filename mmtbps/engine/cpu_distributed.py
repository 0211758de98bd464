"""Several processes on machines without GPU, which MMEngine's launchers do not support."""

from typing import Any

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmtbps.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper for a model on the CPU; MMEngine always passes a device, which torch refuses there.

    Args:
        module: The model.
        device_ids: Ignored. Defaults to None.
        **kwargs: Arguments of :class:`mmengine.model.MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, device_ids: Any = None, **kwargs: Any) -> None:
        super().__init__(module, **kwargs)


def start_processes(launcher: str) -> None:
    """Initialise the process group of a launcher, for work without a Runner; on the CPU with gloo.

    Args:
        launcher: Launcher of MMEngine: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Raises:
        ValueError: If there is no GPU and the launcher is neither ``'none'`` nor ``'pytorch'``.
    """
    prepare_cpu_launcher(Config(dict(launcher=launcher)))
    if launcher != 'none' and not torch_dist.is_initialized():
        init_dist(launcher)


def prepare_cpu_launcher(cfg: Config) -> None:
    """Set up a distributed run on the CPU: gloo processes and a wrapper without devices. Does nothing otherwise.

    Args:
        cfg: A complete config; ``model_wrapper_cfg`` is set in place.

    Raises:
        ValueError: If the launcher is not ``'pytorch'``.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(f'Without GPU only launcher "pytorch" works (tools/dist_train.sh), got {launcher!r}.')
    if not torch_dist.is_initialized():
        torch_dist.init_process_group('gloo')
    cfg.setdefault('model_wrapper_cfg', dict(type='mmtbps.CPUDistributedDataParallel', broadcast_buffers=False))
