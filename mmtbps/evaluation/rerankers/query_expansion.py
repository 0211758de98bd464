"""Re-ranking by average query expansion."""

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import RERANKERS

from ..functional import average_query_expansion
from ..functional.checks import unit_rows
from ..functional.neighbors import Cosine, Rows
from .base import Reranker


@RERANKERS.register_module()
class QueryExpansion(Reranker):
    """Cosine similarity of queries averaged with their nearest gallery items (Chum et al., ICCV 2007).

    See :func:`mmtbps.evaluation.functional.average_query_expansion`.

    Args:
        k: Number of gallery items averaged. Defaults to 5, as in :class:`NeighborJaccard`.
        name: Name in the keys of the metric. Defaults to None: ``'query-expansion'``.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    default_name = 'query-expansion'

    @checked()
    def __init__(self, k: int = 5, name: str | None = None) -> None:
        super().__init__(name)
        self.k = positive(k, 'k')

    def prepare(self, query_feats: Tensor, gallery_feats: Tensor) -> Rows:
        """Expand all queries.

        Args:
            query_feats: Features (Q, D).
            gallery_feats: Features (G, D).

        Returns:
            A function from query numbers (b,) to similarities (b, G).
        """
        expanded = average_query_expansion(query_feats, gallery_feats, self.k)
        return Cosine(expanded, unit_rows(gallery_feats, 'gallery_feats').to(expanded.dtype))
