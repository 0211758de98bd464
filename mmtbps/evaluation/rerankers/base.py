"""What every re-ranker is."""

from abc import ABC, abstractmethod

from torch import Tensor

from ..functional import rerank_shortlist
from ..functional.neighbors import Rows


class Reranker(ABC):
    """Base class of re-rankers: from features to better similarities, one row of the matrix at a time.

    A subclass sets ``default_name``, writes :meth:`prepare` and registers itself in ``RERANKERS``.

    Args:
        name: What the rows of the metric are called, as in ``t2i+jaccard``. Defaults to None: ``default_name``; name
            them when one metric has two of a kind.

    Raises:
        ValueError: If the name has a ``/`` or ``+``, which separate the parts of a key.
    """

    default_name: str

    def __init__(self, name: str | None = None) -> None:
        self.name = self.default_name if name is None else name
        if not self.name or set('/+') & set(self.name):
            raise ValueError(f"name must not be empty nor have '/' or '+', got {self.name!r}.")

    @abstractmethod
    def prepare(self, query_feats: Tensor, gallery_feats: Tensor) -> Rows:
        """Do what concerns the whole gallery, once.

        Args:
            query_feats: Features (Q, D), not normalised.
            gallery_feats: Features (G, D), not normalised.

        Returns:
            A function from query numbers (b,) int64, on the host, to similarities (b, G), the larger the better.
        """

    def shortlist(self, query_feats: Tensor, gallery_feats: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Re-rank only the gallery items nearest to each query, for galleries that outgrow :meth:`prepare`.

        Here with :func:`mmtbps.evaluation.functional.rerank_shortlist`, which serves any method.

        Args:
            query_feats: Features (Q, D), not normalised.
            gallery_feats: Features (G, D), not normalised.
            size: Items in a shortlist, K; more than G is G.

        Returns:
            Gallery numbers and similarities (Q, K), the best first.
        """
        return rerank_shortlist(query_feats, gallery_feats, self.prepare, size)
