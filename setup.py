"""Packaging of mmtbps; tool settings live in pyproject.toml."""

import re
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Read ``__version__`` without importing the package."""
    text = (ROOT / 'mmtbps' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


def mmcv_requirement() -> str:
    """Keep a full mmcv that is already installed; else ask for the lite one, which needs no compiler.

    Both distributions install the same ``mmcv`` package, so asking for the lite one would overwrite the full one.
    The look goes to the target's own site-packages: a build runs in an isolated environment. Compiled packages may
    live apart from plain ones.
    """
    site_packages = {sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}
    installed = {dist.metadata['Name'] for dist in distributions(path=list(site_packages))}
    return 'mmcv>=2.0.0,<2.4.0' if 'mmcv' in installed else 'mmcv-lite>=2.0.0,<2.4.0'


def package_data() -> list[str]:
    """Configs and tools, which are linked into ``mmtbps/.mim`` so that an installed package carries them."""
    package = ROOT / 'mmtbps'
    linked = [path for folder in ('configs', 'tools') for path in sorted((package / '.mim' / folder).rglob('*'))]
    files = [str(path.relative_to(package)) for path in linked if path.is_file() and path.suffix != '.pyc']
    return [*files, '.mim/model-index.yml', 'py.typed']


# Exported models: writing and running them.
DEPLOY = ['onnx>=1.16', 'onnxruntime>=1.17']

# Indexes of the search beside the exact one.
SEARCH = ['faiss-cpu>=1.11', 'pymilvus>=3.0,<4', 'milvus-lite>=3.2,<4']

# The web page.
DEMO = ['gradio>=6.31,<7']

setup(
    name='mmtbps',
    version=read_version(),
    description='Text-based person search for the OpenMMLab family',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmtbps', 'mmtbps.*']),
    package_data={'mmtbps': package_data()},
    install_requires=[
        'torch>=2.4',
        'torchvision',
        'mmengine>=0.10.4,<1.0',
        mmcv_requirement(),
        'mmpretrain>=1.2.0,<2.0',
        'open_clip_torch>=3.0,<4.0',
        'numpy>=1.24',
        'packaging',
        'terminaltables',
        # MMEngine resolves `_base_ = 'package::...'` with pkg_resources, which setuptools 81 dropped.
        'setuptools>=77.0.3,<81',
    ],
    extras_require={
        'deploy': DEPLOY,
        'search': SEARCH,
        'demo': DEMO,
        # Selenium drives the browser that tests the web page.
        'tests': ['pytest', 'hypothesis', 'scipy', 'ruff', 'mypy', 'tensorboard', 'selenium', *DEPLOY, *SEARCH, *DEMO],
        'docs': ['matplotlib'],
    },
)
