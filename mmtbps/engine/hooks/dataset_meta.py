"""Carry what the training set decides (words, identities) to where it is needed, and check that it fits."""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmtbps.core.checkpoint import dataset_meta_of
from mmtbps.core.distributed import unwrap
from mmtbps.core.files import write_atomically
from mmtbps.core.terminal import tell
from mmtbps.datasets.vocabulary import count_unknown_words
from mmtbps.registry import HOOKS


@HOOKS.register_module()
class DatasetMetaHook(Hook):
    """Share the training set's vocabulary with the evaluation sets and check identities against the model.

    The words live in the training set's ``metainfo`` and thus in every checkpoint (``meta/dataset_meta``). During
    training they go from there to the validation and test sets; a test takes them from the checkpoint; a resumed run
    must have the very same words and identities, since rows of the embedding and classes are addressed by position.
    Weights of other data (``load_from``) are the concern of :class:`FitWeightsHook`.
    For reading, the words also stand in ``vocabulary.txt`` in the work directory, the word of id i in line i + 1.
    """

    priority = 'HIGH'  # before FitWeightsHook, which would report the shapes that other words have

    def before_run(self, runner: Runner) -> None:
        """Share the training set's words with the evaluation sets that are built by now, and with the model."""
        train_set = dataset_of(runner._train_loop)
        if train_set is not None:
            vocabulary = train_set.metainfo.get('vocabulary')
            self._share(runner, vocabulary, 'the training set')
            # Before weights are initialised or loaded: a checkpoint's rows shall have the last word.
            for module in runner.model.modules() if vocabulary is not None else ():
                if hasattr(module, 'set_words'):
                    module.set_words(vocabulary)

    def before_train(self, runner: Runner) -> None:
        """Check once that every identity of the training set has a class in every head that classifies.

        The words are written here, after a resumed run was checked against its checkpoint.
        """
        train_set = runner.train_dataloader.dataset
        model = unwrap(runner.model)
        for name, head in getattr(model, 'heads', {}).items():
            classes = getattr(head, 'num_classes', None)
            if classes is not None and train_set.num_classes > classes:
                raise ValueError(
                    f'{type(train_set).__name__} ({train_set.ann_file}) has {train_set.num_classes} identities, but '
                    f'head {name!r} has {classes} classes. Set num_classes=None in the config to take it from the data.'
                )
        vocabulary = train_set.metainfo.get('vocabulary')
        if vocabulary is not None and is_main_process():
            # JSON can hold halves of characters, which UTF-8 cannot.
            text = '\n'.join([*vocabulary, '']).encode(errors='backslashreplace')
            write_atomically(Path(runner.work_dir) / 'vocabulary.txt', text)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take the words from a checkpoint for a test; check them if a training is resumed."""
        meta = dataset_meta_of(checkpoint)
        train_set = dataset_of(runner._train_loop)
        if train_set is None:
            self._share(runner, meta.get('vocabulary'), 'the checkpoint')
        elif runner._resume:
            _demand_same_data(train_set, meta)

    def before_test(self, runner: Runner) -> None:
        """Count the words of the test set that the model does not know: another data set may have many."""
        counts = count_unknown_words(dataset_of(runner._test_loop))
        if counts is not None:
            tell(f'Test captions: {counts}.')
            runner.message_hub.update_info('unknown_words', counts._asdict())

    @staticmethod
    def _share(runner: Runner, vocabulary: list[str] | None, source: str) -> None:
        if vocabulary is None:
            return
        for loop in (runner._val_loop, runner._test_loop):
            dataset = dataset_of(loop)
            if dataset is not None and dataset.metainfo.get('vocabulary') != vocabulary:
                dataset.set_vocabulary(vocabulary)
                runner.logger.info(f'{type(dataset).__name__} ({dataset.split}) uses the words of {source}.')


def _demand_same_data(train_set: Any, meta: dict[str, Any]) -> None:
    """Refuse to resume with other words or identities than those of the checkpoint."""
    differing = []
    for key in ('vocabulary', 'person_ids'):
        stored, current = (None if data.get(key) is None else list(data[key]) for data in (meta, train_set.metainfo))
        if stored != current:
            counts = ('none' if values is None else f'{len(values)} entries' for values in (stored, current))
            differing.append(f'{key} ({", now ".join(counts)})')
    if differing:
        raise ValueError(
            f"The checkpoint's {' and '.join(differing)} differ from those of {type(train_set).__name__} "
            f'({train_set.ann_file}): rows of the model would be mixed up. Resume with the annotation file and '
            'tokenizer settings that the checkpoint was trained with, or start a new run from its weights: '
            'load_from=CHECKPOINT without resume.'
        )


def dataset_of(loop: Any) -> Any:
    """Find the data set of a loop, or None as long as the loop is not built (a config) or not wanted."""
    return loop.dataloader.dataset if hasattr(loop, 'dataloader') else None
