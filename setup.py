"""Packaging of mmtbps; tool settings live in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def read_version() -> str:
    """Read ``__version__`` without importing the package."""
    text = (ROOT / 'mmtbps' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"__version__ = '([^']+)'", text).group(1)


def package_data() -> list[str]:
    """Configs and tools, which are linked into ``mmtbps/.mim`` so that an installed package carries them."""
    package = ROOT / 'mmtbps'
    linked = [path for folder in ('configs', 'tools') for path in sorted((package / '.mim' / folder).rglob('*'))]
    files = [str(path.relative_to(package)) for path in linked if path.is_file() and path.suffix != '.pyc']
    return [*files, '.mim/model-index.yml', 'py.typed', 'video/detectors/hog_people.npy']


# The README says how to keep a full mmcv or the forks of OpenMMLab's packages, which these would replace.
OPENMMLAB = [
    'mmengine>=0.10.4,<1.0',
    # No compiled operator is needed, so the distribution that needs no compiler; its module is `mmcv` all the same.
    'mmcv-lite>=2.0.1,<2.4.0',
    'mmpretrain>=1.2.0,<2.0',
]

# Exported models: writing and running them.
DEPLOY = ['onnx>=1.16', 'onnxruntime>=1.17']

# Indexes of the search beside the exact one.
SEARCH = ['faiss-cpu>=1.11', 'pymilvus>=3.0,<4', 'milvus-lite>=3.2.1,<4']

# The web page.
DEMO = ['gradio>=6.31,<7']

# Maps of embeddings by t-SNE.
TSNE = ['scikit-learn']

# Tables of words of other encoders than CLIP's.
WORDS = ['sentence-transformers']

TESTS = [
    'pytest',
    # Its coverage measures subprocesses by a setting in pyproject.toml.
    'pytest-cov>=7',
    'pytest-xdist',
    'hypothesis',
    'ruff',
    'mypy',
    'import-linter',
    'grimp',
    'tensorboard',
    'timm',
    # Drives the browser that tests the web page.
    'selenium',
]

setup(
    name='mmtbps',
    version=read_version(),
    description='Text-based person search for the OpenMMLab family',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    entry_points={'console_scripts': ['mmtbps=mmtbps.cli:main']},
    packages=find_packages(include=['mmtbps', 'mmtbps.*']),
    package_data={'mmtbps': package_data()},
    install_requires=[
        *OPENMMLAB,
        'torch>=2.6',
        'torchvision',
        'open_clip_torch>=3.0,<4.0',
        'numpy>=1.24',
        # Reads the command lines; 5 needs Python 3.11.
        'cyclopts>=4.2,<6',
        'filelock',
        'jinja2',
        'matplotlib',
        'model-index',
        'opencv-python',
        'packaging',
        'pillow',
        'pyyaml',
        'safetensors',
        'scipy',
        'terminaltables',
        'tqdm',
        # MMEngine resolves `_base_ = 'package::...'` with pkg_resources, which setuptools 81 dropped.
        'setuptools>=77.0.3,<81',
    ],
    extras_require={
        'deploy': DEPLOY,
        'search': SEARCH,
        'demo': DEMO,
        'tsne': TSNE,
        'words': WORDS,
        'tests': [*TESTS, *DEPLOY, *SEARCH, *DEMO, *TSNE],
    },
)
