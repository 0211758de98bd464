import pytest
import torch

from mmtbps.models.necks import PartPooling


def test_each_part_is_the_mean_of_its_stripe():
    features = torch.rand(2, 5, 6, 4)
    expected = torch.stack([features[:, :, 2 * part : 2 * part + 2].mean((2, 3)) for part in range(3)], dim=2)
    torch.testing.assert_close(PartPooling(parts=3)(features), expected.flatten(1))
    torch.testing.assert_close(PartPooling(parts=3)((features[:, :1], features)), expected.flatten(1))


def test_a_number_of_parts_below_one_is_refused():
    with pytest.raises(ValueError, match='parts must be at least 1'):
        PartPooling(parts=0)
