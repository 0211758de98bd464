"""Print what a report of a fault should say about machine and versions."""

import argparse
from importlib import metadata

from mmengine.utils.dl_utils import collect_env

import mmtbps
from mmtbps.core.commands import EPILOG, run_command

PACKAGES = ('mmengine', 'mmcv-lite', 'mmcv', 'mmpretrain', 'open_clip_torch', 'numpy', 'timm', 'faiss-cpu', 'pymilvus')
FORKS = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain')


def main(argv: list[str] | None = None) -> None:
    """Run the tool."""
    argparse.ArgumentParser(description=__doc__, epilog=EPILOG).parse_args(argv)
    versions = {'mmtbps': mmtbps.__version__}
    for name in (*PACKAGES, *FORKS):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    for name, value in {**collect_env(), **versions}.items():
        print(f'{name}: {value}')


if __name__ == '__main__':
    run_command(main)
