"""Base class of re-rankers."""

from abc import ABC, abstractmethod

from torch import Tensor

from mmtbps.core.arguments import checked

from ..functional import Rows, rerank_shortlist


class Reranker(ABC):
    """Base class of re-rankers: they compute new similarities from features, some rows of the matrix at a time.

    A subclass sets ``default_name``, implements :meth:`prepare` and registers itself in ``RERANKERS``.

    Args:
        name: Name in the keys of the metric, as in ``t2i+jaccard``. Defaults to None: ``default_name``; needed if one
            metric has two re-rankers of one class.

    Raises:
        ValueError: If the name is empty or contains ``/`` or ``+``, which separate the parts of a key.
    """

    default_name: str

    @checked()
    def __init__(self, name: str | None = None) -> None:
        self.name = self.default_name if name is None else name
        if not self.name or set('/+') & set(self.name):
            raise ValueError(f"name must not be empty nor contain '/' or '+', got {self.name!r}.")

    @abstractmethod
    def prepare(self, query_feats: Tensor, gallery_feats: Tensor) -> Rows:
        """Do all computation that concerns the whole gallery, once.

        Args:
            query_feats: Features (Q, D), not normalised.
            gallery_feats: Features (G, D), not normalised.

        Returns:
            A function from query numbers (b,) int64, on the host, to similarities (b, G), larger is better.
        """

    def shortlist(self, query_feats: Tensor, gallery_feats: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Re-rank only the gallery items nearest to each query, for galleries that are too large for :meth:`prepare`.

        The default, :func:`mmtbps.evaluation.functional.rerank_shortlist`, works for any method.

        Args:
            query_feats: Features (Q, D), not normalised.
            gallery_feats: Features (G, D), not normalised.
            size: Length of a shortlist K, at most G.

        Returns:
            Gallery numbers and similarities (Q, K), best first.
        """
        return rerank_shortlist(query_feats, gallery_feats, self.prepare, size)
