"""Re-ranking by k-reciprocal encoding."""

from torch import Tensor

from mmtbps.core.arguments import checked
from mmtbps.core.checks import in_unit, positive
from mmtbps.registry import RERANKERS

from ..functional import k_reciprocal_rows
from ..functional.neighbors import Rows
from .base import Reranker


@RERANKERS.register_module()
class KReciprocal(Reranker):
    """The negative k-reciprocal distance (Zhong et al., CVPR 2017).

    See :func:`mmtbps.evaluation.functional.k_reciprocal_distance`.

    Args:
        k1: Neighbours that must be mutual. Defaults to 20, as in the paper.
        k2: Neighbours averaged. Defaults to 6, as in the paper.
        lambda_value: Weight of the original distance, in 0..1. Defaults to 0.3, as in the paper.
        name: Name in the keys of the metric. Defaults to None: ``'k-reciprocal'``.

    Raises:
        ValueError: If ``k1`` or ``k2`` is below 1 or ``lambda_value`` is outside 0..1.
    """

    default_name = 'k-reciprocal'

    @checked()
    def __init__(self, k1: int = 20, k2: int = 6, lambda_value: float = 0.3, name: str | None = None) -> None:
        super().__init__(name)
        self.k1 = positive(k1, 'k1')
        self.k2 = positive(k2, 'k2')
        self.lambda_value = in_unit(lambda_value, 'lambda_value')

    def prepare(self, query_feats: Tensor, gallery_feats: Tensor) -> Rows:
        """Encode all queries and gallery items.

        Args:
            query_feats: Features (Q, D).
            gallery_feats: Features (G, D).

        Returns:
            A function from query numbers (b,) to similarities (b, G), in -1..0.
        """
        distance = k_reciprocal_rows(query_feats, gallery_feats, self.k1, self.k2, self.lambda_value)
        return lambda rows: -distance(rows)
