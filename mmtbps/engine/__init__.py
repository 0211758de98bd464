from .cpu_distributed import CPUDistributedDataParallel, prepare_cpu_launcher, start_processes  # noqa: F401
from .fine_tuning import adapt_weights  # noqa: F401
from .hooks import *  # noqa: F403
from .optim_wrapper import AutocastOptimWrapper  # noqa: F401
from .optimizers import *  # noqa: F403
