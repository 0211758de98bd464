"""Checks of the packages that mmtbps stands on, with errors that name the remedy."""

import warnings
from importlib import metadata

from packaging.specifiers import SpecifierSet
from packaging.version import Version

# The first distribution name is the one to install, as setup.py asks for it; a maintained fork ships the same modules
# under another name.
REQUIREMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    'torch': (('torch',), '>=2.6'),
    'mmengine': (('mmengine', 'mmengine-lite', 'onedl-mmengine'), '>=0.10.4,<1.0'),
    'mmcv': (('mmcv-lite', 'mmcv', 'onedl-mmcv', 'onedl-mmcv-lite'), '>=2.0.1,<2.4.0'),
    'mmpretrain': (('mmpretrain', 'onedl-mmpretrain'), '>=1.2.0,<2.0'),
}


def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of the distributions ``names`` that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_dependencies() -> None:
    """Check that every companion is installed in a version that works.

    Raises:
        ImportError: If one is missing or of an unsupported version, or if OpenCV cannot be loaded.
    """
    for module, (names, wanted) in REQUIREMENTS.items():
        _check_version(module, names, wanted)
    _check_opencv()
    # What mmcv-lite leaves out is not needed here, so that the advice to install mmcv would mislead.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    # MMEngine's import, about which its users can do nothing; setup.py asks for a setuptools that has it.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')


def _check_version(module: str, names: tuple[str, ...], wanted: str) -> None:
    found = installed_versions(names)
    remedy = f"Run: python -m pip install '{names[0]}{wanted}'"
    if not found:
        raise ImportError(f'mmtbps needs {module}{wanted}, which is not installed. {remedy}')
    for name, version in found.items():
        if not SpecifierSet(wanted).contains(Version(version), prereleases=True):
            raise ImportError(f'mmtbps needs {module}{wanted}, but {name} {version} is installed. {remedy}')
    if len(found) > 1:
        listing = ' and '.join(f'{name} {version}' for name, version in found.items())
        warnings.warn(
            f"{listing} are both installed and overwrite each other's package {module!r}. "
            f'Uninstall all of them, then install one.',
            stacklevel=4,
        )


def _check_opencv() -> None:
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'OpenCV cannot be loaded ({error}). On Debian and Ubuntu, slim images lack two libraries: '
            'apt-get install libgl1 libglib2.0-0'
        ) from error
