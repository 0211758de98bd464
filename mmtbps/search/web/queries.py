"""A query with all its options, as the page, its links and its endpoint have it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl, urlencode

from mmtbps.registry import RERANKERS

from ..filters import parse_where, split_where

__all__ = ['IMAGES', 'MAX_SENTENCE', 'MOST_IMAGES', 'Query', 'number_or_as_is']

MAX_SENTENCE = 1000
"""Longest sentence in characters: the longest of CUHK-PEDES has some 600, and models truncate at some hundred words."""

IMAGES, MOST_IMAGES = 12, 60
"""How many images are shown, unless somebody asks for more, and at most."""

_LONGEST_LINK, _MOST_PARAMETERS = 20_000, 50
"""A sentence and a filter of letters that take twelve characters in an address each, and what others append."""


@dataclass(frozen=True)
class Query:
    """A query; what a visitor typed, not yet checked.

    Args:
        sentence: The sentence. Defaults to none: the query is an image.
        gallery: Name of the gallery. Defaults to the first one.
        images: Number of images, 1 to 60; a smaller gallery is shown completely. Defaults to 12, a screen.
        where: Conditions on the metadata, with commas between them. Defaults to none.
        least_score: Least cosine of a result. Defaults to None: no such bound.
        rerank: Type of a re-ranker. Defaults to none.
    """

    sentence: str = ''
    gallery: str = ''
    images: int = IMAGES
    where: str = ''
    least_score: float | None = None
    rerank: str = ''

    @classmethod
    def from_link(cls, link: str) -> 'Query':
        """Read the parameters of an address; those that are not of a query are left alone.

        Args:
            link: What follows the address, from the question mark on.

        Raises:
            ValueError: If it is too long; the message is for the visitor.
        """
        if len(link) > _LONGEST_LINK:
            raise ValueError(f'The link has {len(link)} characters; shorten it to at most {_LONGEST_LINK}.')
        try:
            given = dict(parse_qsl(link.removeprefix('?'), max_num_fields=_MOST_PARAMETERS))
        except ValueError as error:
            raise ValueError(f'The link has more than {_MOST_PARAMETERS} parameters; leave some out.') from error
        read: dict[str, Any] = {one.name: given[one.name] for one in fields(cls) if one.name in given}
        for name, kind in (('images', int), ('least_score', float)):
            if name in read:
                read[name] = number_or_as_is(read[name], kind)
        return cls(**read)

    @property
    def link(self) -> str:
        """The parameters of an address that asks this, from the question mark on; what is as usual is left out."""
        usual = asdict(Query())
        told = {name: value for name, value in asdict(self).items() if value != usual[name]}
        return f'?{urlencode(told, errors="replace")}' if told else ''

    @property
    def conditions(self) -> list[str]:
        """The conditions of the filter, one by one."""
        return split_where(self.where)

    def check(self, galleries: Sequence[str]) -> None:
        """Check what visitors, programs and links may give.

        Args:
            galleries: Names of the galleries.

        Raises:
            ValueError: If something is not as :class:`Query` says, or the filter has a part that is no condition; the
                message is for the visitor.
        """
        for name in ('sentence', 'gallery', 'where', 'rerank'):
            if not isinstance(value := getattr(self, name), str):
                raise ValueError(f'{name} must be text, got {value!r:.80}.')
        if self.rerank and self.rerank not in RERANKERS.module_dict:
            known = ', '.join(sorted(RERANKERS.module_dict))
            raise ValueError(f'rerank must be one of {known}, or nothing, got {self.rerank!r:.80}.')
        if self.gallery and self.gallery not in galleries:
            raise ValueError(f'gallery must be one of {", ".join(galleries)}, got {self.gallery!r:.80}.')
        if not (_is_number(self.images) and self.images == int(self.images) and 1 <= self.images <= MOST_IMAGES):
            raise ValueError(f'images must be a whole number from 1 to {MOST_IMAGES}, got {self.images!r:.80}.')
        least = self.least_score
        if least is not None and not (_is_number(least) and -1 <= least <= 1):
            raise ValueError(f'least_score must be a number from -1 to 1, got {least!r:.80}.')
        if len(self.where) > MAX_SENTENCE:
            raise ValueError(f'The filter has {len(self.where)} characters; shorten it to at most {MAX_SENTENCE}.')
        parse_where(self.conditions)

    def described(self) -> str:
        """The options that leave out or reorder images, a line; empty if there are none."""
        least = [] if self.least_score is None else [f'least score {self.least_score:g}']
        where = [f'filter {where}'] if (where := ' '.join(self.where.split())) else []
        return ' · '.join([*where, *least, *([f're-ranked by {self.rerank}'] if self.rerank else [])])


def _is_number(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and isfinite(value))


def number_or_as_is(text: str, kind: type = float) -> Any:
    """Read what a visitor typed as a number; what is none stays as it is, for :meth:`Query.check` to name it.

    Args:
        text: The text.
        kind: What to read. Defaults to ``float``.
    """
    try:
        return kind(text)
    except ValueError:
        return text
