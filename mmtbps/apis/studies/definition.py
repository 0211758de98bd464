"""Definition of a study: variants of configs, each trained with several seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmtbps.core.files import write_atomically
from mmtbps.core.json_text import parse_json
from mmtbps.zoo.config_files import load_config

__all__ = ['Study', 'StudyRun', 'Variant']

_REQUIRED_KEYS = {'title', 'seeds', 'metrics', 'bases', 'variants'}
_STUDY_KEYS = {*_REQUIRED_KEYS, 'stages'}
_BASE_KEYS = {'config', 'changes'}
_VARIANT_KEYS = {'base', 'label', 'changes', 'start', 'against'}


@dataclass(frozen=True)
class Variant:
    """One row of a study.

    Args:
        name: Key in the study file, and name of the folder of its runs.
        label: Label in tables and plots.
        config: The complete config, including changes.
        start: Name of the stage whose weights it starts from. Defaults to None: the config says.
        against: Name of the variant that it is compared with, seed by seed. Defaults to None: with none.
    """

    name: str
    label: str
    config: Config
    start: str | None = None
    against: str | None = None


@dataclass(frozen=True)
class StudyRun:
    """One training of a study: a variant with a seed.

    Args:
        variant: The variant.
        seed: The seed.
        folder: Its work directory. Config, log and result are files of the same name beside it.
        start: The checkpoint that it starts from. Defaults to None: the config says.
    """

    variant: Variant
    seed: int
    folder: Path
    start: Path | None = None

    @property
    def last_checkpoint(self) -> Path:
        """File of the weights after the last epoch."""
        return self.folder / f'epoch_{self.variant.config.train_cfg.max_epochs}.pth'

    @property
    def config_file(self) -> Path:
        """File of the complete config of the run."""
        return self.folder.with_suffix('.py')

    @property
    def log_file(self) -> Path:
        """File of the output of the run."""
        return self.folder.with_suffix('.log')

    @property
    def result_file(self) -> Path:
        """File of the metrics on test and the seconds of training; it exists once the run is complete."""
        return self.folder.with_suffix('.json')

    def write_config(self) -> None:
        """Write the config of the run, or check that it equals the one that the run was started with.

        Raises:
            ValueError: If it differs.
        """
        if self.config_file.is_file():
            self._check_config()
        else:
            write_atomically(self.config_file, self._config_text().encode())

    def read_result(self) -> dict[str, float] | None:
        """Read the result.

        Returns:
            Metrics on test and ``'train_seconds'``, or None while the run is not complete.

        Raises:
            ValueError: If it is the result of another config.
        """
        if not self.result_file.is_file():
            return None
        self._check_config()
        try:
            return parse_json(self.result_file.read_bytes(), finite=False)
        except ValueError as error:
            raise ValueError(f'{self.result_file}: {error}. Remove it to run this part of the study again.') from error

    def _config_text(self) -> str:
        config = self.variant.config.copy()
        start = {} if self.start is None else {'load_from': str(self.start)}
        config.merge_from_dict({'randomness.seed': self.seed, **start})
        return config.pretty_text

    def _check_config(self) -> None:
        if self.config_file.read_text(encoding='utf-8') != self._config_text():
            raise ValueError(
                f'{self.config_file} differs from the present study and configs. Use another work directory, or '
                'remove the file with the folder, the log and the result beside it.'
            )


@dataclass(frozen=True)
class Study:
    """Variants of configs that are trained with the same seeds and compared by their metrics on test.

    Args:
        name: Name of the study file and of the data set.
        title: Question of the study.
        seeds: Seeds of every variant. Three give an idea of the deviation.
        metrics: Keys of the metrics to report, such as ``'t2i/R@1'``.
        variants: The compared variants.
        stages: Trainings that variants start from, one for each seed; they are not compared.
    """

    name: str
    title: str
    seeds: Sequence[int]
    metrics: Sequence[str]
    variants: Sequence[Variant]
    stages: Sequence[Variant] = ()

    @classmethod
    def fromfile(cls, path: str | Path, data_set: str | None = None, only: str = '*') -> 'Study':
        """Read a study file, a Python config.

        ``title``, ``seeds``, ``metrics``, ``bases`` and ``variants`` are required. ``bases`` has, for each data set,
        the starting points of variants by name: a ``config`` (its path relative to the study file) and optionally
        ``changes``. ``variants`` has, for each data set, the variants by name: the ``base`` and optionally a ``label``,
        ``changes``, ``start`` and ``against``. ``start`` names one of the ``stages`` of the data set, which are like
        variants: it begins with the weights that the stage ended with, with the same seed. ``against`` names another
        variant, with which it is compared seed by seed. Changes are merged into the config like the settings of a leaf
        into its base (including ``_delete_``; keys may have dots), those of the base first. Names that begin with ``_``
        are variables of the file.

        Args:
            path: The file.
            data_set: Data set of the study, a key of ``variants``. Defaults to None: the first one.
            only: Shell pattern of the names of variants to keep, such as ``'queue*'``. Defaults to all.

        Raises:
            FileNotFoundError: If the file or one of the configs does not exist.
            ValueError: If keys are missing or unknown, seeds or variants are given twice or not at all, or the file
                has no such data set, base or variant.
        """
        path = Path(path)
        content = {key: value for key, value in load_config(path).to_dict().items() if not key.startswith('_')}
        _check_keys(content, _STUDY_KEYS, _REQUIRED_KEYS, str(path))
        for key in ('seeds', 'metrics', 'variants'):
            if not content[key] or len(set(content[key])) != len(content[key]):
                raise ValueError(f'{path}: {key} must not be empty nor have duplicates, but got {content[key]!r}.')
        data_set = data_set or next(iter(content['variants']))
        given = _entry(content['variants'], data_set, f'{path}: variants')
        bases = _entry(content['bases'], data_set, f'{path}: bases')
        everything = [_read_variant(path, name, variant, bases) for name, variant in given.items()]
        stages = content.get('stages', {}).get(data_set, {})
        for variant in everything:
            for name, known, key in ((variant.start, stages, 'start'), (variant.against, given, 'against')):
                if name is not None:
                    _entry(known, name, f'{path}: variant {variant.name!r}: {key}')
        variants = [variant for variant in everything if fnmatchcase(variant.name, only)]
        if not variants:
            raise ValueError(f'{path}: no variant on {data_set} matches {only!r}; there are {sorted(given)}.')
        title = f'{content["title"]} ({data_set})'
        needed = [
            _read_variant(path, name, stage, bases)
            for name, stage in stages.items()
            if any(variant.start == name for variant in variants)
        ]
        return cls(f'{path.stem}_{data_set}', title, content['seeds'], content['metrics'], variants, needed)

    def runs(self, work_dir: str | Path) -> Iterator[StudyRun]:
        """List the runs seed by seed, so that a study that is stopped early has compared all variants.

        Args:
            work_dir: Folder of the study.

        Yields:
            The runs.
        """
        starts = {(run.variant.name, run.seed): run.last_checkpoint for run in self.stage_runs(work_dir)}
        for seed in self.seeds:
            for variant in self.variants:
                start = None if variant.start is None else starts[variant.start, seed]
                yield StudyRun(variant, seed, Path(work_dir) / variant.name / f'seed_{seed}', start)

    def stage_runs(self, work_dir: str | Path) -> list[StudyRun]:
        """List the runs of the stages, which come before all others.

        Args:
            work_dir: Folder of the study.
        """
        folder = Path(work_dir) / 'stages'
        return [StudyRun(stage, seed, folder / stage.name / f'seed_{seed}') for seed in self.seeds
                for stage in self.stages]  # fmt: skip


def _read_variant(path: Path, name: str, variant: Mapping[str, Any], bases: Mapping[str, Any]) -> Variant:
    where = f'{path}: variant {name!r}'
    _check_keys(variant, _VARIANT_KEYS, {'base'}, where)
    base = _entry(bases, variant['base'], f'{where}: base')
    _check_keys(base, _BASE_KEYS, {'config'}, f'{path}: base {variant["base"]!r}')
    config = load_config(path.parent / base['config'])
    for changes in (base.get('changes', {}), variant.get('changes', {})):
        config.merge_from_dict(dict(changes))
    return Variant(name, variant.get('label', name), config, variant.get('start'), variant.get('against'))


def _entry(entries: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in entries:
        raise ValueError(f'{where}: there is no {name!r}; choose from {sorted(entries)}.')
    return entries[name]


def _check_keys(content: Mapping[str, Any], known: set[str], required: set[str], where: str) -> None:
    unknown, missing = sorted(set(content) - known), sorted(required - set(content))
    if unknown or missing:
        raise ValueError(f'{where}: missing keys {missing}, unknown keys {unknown}; known are {sorted(known)}.')
