"""Print what a report of a fault should say about machine and versions."""

from importlib import metadata

from mmtbps.cli import Command
from mmtbps.core.commands import run_command

PACKAGES = ('mmengine', 'mmcv-lite', 'mmcv', 'mmpretrain', 'open_clip_torch', 'numpy', 'timm', 'faiss-cpu', 'pymilvus')
FORKS = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain')


def collect() -> None:
    """Print what a report of a fault should say about machine and versions."""
    from mmengine.utils.dl_utils import collect_env

    import mmtbps

    versions = {'mmtbps': mmtbps.__version__}
    for name in (*PACKAGES, *FORKS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    for name, value in {**collect_env(), **versions}.items():
        print(f'{name}: {value}')


main = Command(collect)

if __name__ == '__main__':
    run_command(main)
