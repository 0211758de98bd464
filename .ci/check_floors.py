"""Use mmtbps with the lowest versions that setup.py declares: import it, train and resume, index images, search them.

Run it with the lowest Python that setup.py declares. It makes an environment of its own, downloads several GB and takes
minutes, so that it is no part of every run of the CI:

    python3.10 .ci/check_floors.py
    python3.10 .ci/check_floors.py --forks

The second takes the maintained forks of OpenMMLab's packages, installed as the README says.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORKS = ['onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain']
READ_REQUIREMENTS = """
import json, setuptools
setuptools.setup = lambda **arguments: print(json.dumps(arguments['install_requires']))
__file__ = 'setup.py'
exec(open(__file__).read())
"""
CONFIG = """
_base_ = 'mmtbps::cm_moco/cm-moco_tiny_toypedes.py'
few = dict(
    dataset=dict(data_root='data', drawing=dict(num_train_ids=64, num_val_ids=16, num_test_ids=16)),
    num_workers=0,
    persistent_workers=False,
)
train_dataloader = dict(few, batch_size=32, sampler=dict(batch_size=32))
val_dataloader = few
test_dataloader = few
train_cfg = dict(max_epochs=1)
"""
REPORT = """
import platform
from importlib.metadata import distributions
wanted = {'torch', 'torchvision', 'numpy', 'open-clip-torch', 'timm', 'opencv-python', 'safetensors', 'setuptools'}
names = {dist.metadata['Name'].lower().replace('_', '-'): dist.version for dist in distributions()}
print('python', platform.python_version())
for name, version in sorted(names.items()):
    if name in wanted or name.removeprefix('onedl-').startswith('mm'):
        print(name, version)
"""


def floors(requirements: list[str]) -> list[str]:
    """The lowest versions of those requirements that have one, as pip's constraints."""
    found = [re.match(r'([\w.-]+).*>=([\w.]+)', requirement) for requirement in requirements]
    return [f'{match[1]}=={match[2]}' for match in found if match]


def readme_command(name: str) -> str:
    """A command of the README, without its line breaks."""
    block = re.search(rf'<!-- command: {name} -->\n```console\n(.*?)```', (ROOT / 'README.md').read_text(), re.DOTALL)
    return block[1].replace('\\\n', ' ')


def copy_sources(folder: Path) -> None:
    """Copy what an installation is built from, so that building leaves nothing in the tree."""
    for name in ('mmtbps', 'configs', 'tools'):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'CHANGELOG.md'):
        shutil.copy(ROOT / name, folder / name)


def main() -> None:
    """Run the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--forks', action='store_true', help="take the maintained forks of OpenMMLab's packages")
    parser.add_argument('--folder', type=Path, help='keep the environment and its runs there (default: removed)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        check(args.folder or Path(temporary), args.forks)


def check(folder: Path, forks: bool) -> None:
    """Make the environment, install, and use the package."""
    folder.mkdir(parents=True, exist_ok=True)
    venv.create(folder / 'venv', with_pip=True)
    bin_folder, sources, work = folder / 'venv/bin', folder / 'sources', folder / 'work'
    python = bin_folder / 'python'
    work.mkdir()
    copy_sources(sources)

    def run(*command: object, cwd: Path = work) -> str:
        print('$', *(str(word).strip().partition('\n')[0] for word in command), flush=True)
        return subprocess.run([*map(str, command)], cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout

    run(python, '-m', 'pip', 'install', '-q', 'setuptools==77.0.3')
    requirements = json.loads(run(python, '-c', READ_REQUIREMENTS, cwd=sources))
    constraints = folder / 'floors.txt'
    constraints.write_text('\n'.join(floors(requirements)) + '\n')
    if forks:
        run(python, '-m', 'pip', 'install', '-q', '-c', constraints, *FORKS)
        environment = f'PATH={bin_folder}:$PATH PIP_CONSTRAINT={constraints}'
        run('bash', '-euc', f'export {environment}; {readme_command("keep")}', cwd=sources)
    else:
        run(python, '-m', 'pip', 'install', '-q', '-c', constraints, sources)
    print(run(python, '-c', REPORT))

    tools = Path(run(python, '-c', 'import mmtbps; print(mmtbps.__path__[0])').strip()) / '.mim/tools'
    (work / 'config.py').write_text(CONFIG)
    train = [python, tools / 'train.py', 'config.py', '--work-dir', 'run', '--out', 'metrics.json']
    run(*train)
    # Resuming reads a checkpoint without unpickling, which depends on torch and on MMEngine.
    run(*train, '--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    print({key: value for key, value in json.loads((work / 'metrics.json').read_text()).items() if '/R@' in key})
    (checkpoint,) = (work / 'run').glob('best_*.pth')
    trained = ['--config', 'config.py', '--checkpoint', checkpoint]
    run(python, tools / 'search.py', 'index', 'data/imgs', *trained, '--out', 'gallery')
    print(run(python, tools / 'search.py', 'query', 'gallery', 'a woman in a red coat with a black bag', '--topk', '3'))


if __name__ == '__main__':
    main()
