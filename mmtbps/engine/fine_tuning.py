"""Adaptation of weights that were trained on one data set to training on another."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmtbps.datasets.tokenizers import WordTokenizer
from mmtbps.models.backbones import WordEmbedding
from mmtbps.models.queues import CrossModalQueue

__all__ = ['adapt_weights']

_SPECIALS = {WordTokenizer.pad_token, WordTokenizer.unk_token}
_DECIDED_BY_DATA = ('dataset', 'vocabulary', 'person_ids')


def adapt_weights(
    model: nn.Module, weights: dict[str, Any], stored: Mapping[str, Any], current: Mapping[str, Any]
) -> list[str]:
    """Adapt weights that were trained on one data set, in place, to a model that is trained on another.

    Rows of words and columns of classes are addressed by position, so that those of another data set must not be loaded
    unchanged. Rows of words are matched by word (:meth:`~mmtbps.models.WordEmbedding.carry_over`), in momentum keys as
    in queries. Heads with classes and queues of keys keep their initial values, unless data set, words and identities
    are the same.

    Args:
        model: The model, initialised.
        weights: Weights of the checkpoint by name, unwrapped.
        stored: Meta information of the data set that the weights were trained on.
        current: Meta information of the training set.

    Returns:
        Messages about what was done; none if the data are the same.

    Raises:
        ValueError: If rows of words cannot be matched by word.
    """
    # The table of a new model may be of another encoder than the checkpoint's, so also the same words are looked at.
    words = _carry_words_over(model, weights, stored, current)
    if all(_plain(stored.get(key)) == _plain(current.get(key)) for key in _DECIDED_BY_DATA):
        return []
    anew = _start_anew(model, weights)
    return [
        f'Fine-tuning on {current.get("dataset")} from weights of {stored.get("dataset", "unknown data")}.',
        *([words] if words else []),
        *([f'Not taken from the checkpoint but started anew: {", ".join(anew)}.'] if anew else []),
    ]


def _carry_words_over(
    model: nn.Module, weights: dict[str, Any], stored: Mapping[str, Any], current: Mapping[str, Any]
) -> str:
    """Match all rows of words by word; returns a message."""
    before, now = stored.get('vocabulary'), current.get('vocabulary')
    _refuse_other_tables(model, weights, before, now)
    tables = [
        (module, f'{prefix}.table.weight')
        for prefix, module in model.named_modules()
        if isinstance(module, WordEmbedding) and f'{prefix}.table.weight' in weights
    ]
    if not tables or now is None:
        return ''
    if before is None:
        raise ValueError(
            f'The checkpoint has rows of words ({tables[0][1]}), but does not name the words, so that they cannot be '
            f"matched with the {len(now)} words of {current.get('dataset')}. Give it checkpoint['meta']"
            "['dataset_meta']['vocabulary'], the word of every row."
        )
    for module, name in tables:
        weights[name] = module.carry_over(weights[name], before, now)
    old, new = set(before) - _SPECIALS, set(now) - _SPECIALS
    return f'Words: {len(old & new):,} carried over, {len(new - old):,} new, {len(old - new):,} dropped.'


def _refuse_other_tables(model: nn.Module, weights: Mapping[str, Any], before: Any, now: Any) -> None:
    """Refuse tables with a row per word that cannot be matched by word, if the words differ."""
    if before is None or now is None or _plain(before) == _plain(now):
        return
    owned = {id(module.table) for module in model.modules() if isinstance(module, WordEmbedding)}
    for prefix, module in model.named_modules():
        name = f'{prefix}.weight'
        rows = weights.get(name, ()) if isinstance(module, nn.Embedding) and id(module) not in owned else ()
        if len(rows) == len(before):
            raise ValueError(
                f'{name} of the checkpoint has a row for each of its {len(before)} words, which are not those of the '
                'training set, and cannot be matched by word. Let the backbone inherit WordEmbedding.'
            )


def _start_anew(model: nn.Module, weights: dict[str, Any]) -> list[str]:
    """Replace weights that belong to identities of other data by those of the model; returns their descriptions."""
    heads = getattr(model, 'heads', {})
    classes = {f'heads.{name}': getattr(head, 'num_classes', None) for name, head in heads.items()}
    parts = {name: f'{name} ({count:,} classes)' for name, count in classes.items() if count is not None}
    parts |= {name: name for name, module in model.named_modules() if isinstance(module, CrossModalQueue)}
    own: dict[str, Tensor] = model.state_dict()
    done = []
    for part, description in parts.items():
        found = [name for name in weights if name.startswith(f'{part}.')]
        for name in found:
            del weights[name]
        weights |= {name: own[name] for name in own if found and name.startswith(f'{part}.')}
        done += [description] if found else []
    return done


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
