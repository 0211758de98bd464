"""Re-ranking by shared neighbours, as in CM-MoCo."""

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import positive
from mmtbps.registry import RERANKERS

from ..functional import neighbor_jaccard_rows, shortlist_jaccard
from ..functional.checks import unit_pair
from ..functional.neighbors import Cosine, Rows, largest
from .base import Reranker


@RERANKERS.register_module()
class NeighborJaccard(Reranker):
    """``cosine + weight * Jaccard`` of shared neighbours (Han et al., BMVC 2021).

    See :func:`mmtbps.evaluation.functional.neighbor_jaccard`.

    Args:
        k: Number of neighbours. Defaults to 5, as in the paper's code.
        weight: Weight of the Jaccard index. Defaults to 0.05, as in the paper's code.
        name: Name in the keys of the metric. Defaults to None: ``'jaccard'``.

    Raises:
        ValueError: If ``k`` is below 1.
    """

    default_name = 'jaccard'

    @checked()
    def __init__(self, k: int = 5, weight: float = 0.05, name: str | None = None) -> None:
        super().__init__(name)
        self.k = positive(k, 'k')
        self.weight = weight

    def prepare(self, query_feats: Tensor, gallery_feats: Tensor) -> Rows:
        """Find the neighbours of all queries and gallery items.

        Args:
            query_feats: Features (Q, D).
            gallery_feats: Features (G, D).

        Returns:
            A function from query numbers (b,) to similarities (b, G).
        """
        query, gallery = unit_pair(query_feats, gallery_feats)
        cosine, jaccard = Cosine(query, gallery), neighbor_jaccard_rows(query, gallery, self.k)
        return lambda rows: cosine(rows) + self.weight * jaccard(rows)

    def shortlist(self, query_feats: Tensor, gallery_feats: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Re-rank only the gallery items nearest to each query, with the similarities of the full method.

        Args:
            query_feats: Features (Q, D).
            gallery_feats: Features (G, D).
            size: Length of a shortlist K, at most G.

        Returns:
            Gallery numbers and similarities (Q, K), best first; ties keep the order of the ranking by cosine.
        """
        numbers, cosine, jaccard = shortlist_jaccard(query_feats, gallery_feats, self.k, size)
        similarity = cosine + self.weight * jaccard
        order = largest(similarity, size)
        return numbers.gather(1, order), similarity.gather(1, order)
