"""CLIPResNet against open_clip's own class."""

import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet

from mmtbps.models import CLIPResNet
from mmtbps.models.utils import resize_positional_embedding


@pytest.fixture
def original():
    torch.manual_seed(0)
    model = ModifiedResNet([1, 2, 1, 1], output_dim=10, heads=4, image_size=64, width=4)
    torch.nn.init.normal_(model.layer4[0].bn3.weight)
    return model


def test_equals_open_clip_with_its_weights(original):
    ours = CLIPResNet((1, 2, 1, 1), width=4, heads=4, output_dim=10, input_size=(64, 64), last_stride=2)
    ours.load_state_dict(original.state_dict())
    images = torch.randn(3, 3, 64, 64)
    features = ours(images)
    torch.testing.assert_close(features, original(images), atol=1e-5, rtol=1e-5)
    for model in (ours, original):
        model.zero_grad()
        model(images).square().sum().backward()
    # The bias of the keys has gradient 0.
    for (name, weight), other in zip(ours.named_parameters(), original.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, other.grad, atol=1e-4, rtol=1e-3, msg=name)


def test_square_weights_fit_a_rectangle_with_stride_1(original):
    ours = CLIPResNet((1, 2, 1, 1), width=4, heads=4, output_dim=10, input_size=(96, 32))
    ours.load_state_dict(original.state_dict())
    expected = resize_positional_embedding(original.attnpool.positional_embedding, (6, 2))
    assert torch.equal(ours.attnpool.positional_embedding, expected)
    assert torch.equal(expected[0], original.attnpool.positional_embedding[0])
    maps = ours.layer4(ours.layer3(ours.layer2(ours.layer1(ours.stem(torch.randn(2, 3, 96, 32))))))
    assert maps.shape == (2, 128, 6, 2)
    assert ours(torch.randn(2, 3, 96, 32)).shape == (2, 10)


def test_mean_pooling():
    ours = CLIPResNet((1, 1, 1, 1), width=4, input_size=(96, 32), pool='mean')
    images = torch.randn(2, 3, 96, 32)
    ours.eval()
    maps = ours.layer4(ours.layer3(ours.layer2(ours.layer1(ours.stem(images)))))
    torch.testing.assert_close(ours(images), maps.mean(dim=(2, 3)))


def test_resizing_to_the_same_grid_changes_nothing():
    embedding = torch.randn(10, 6)
    assert torch.equal(resize_positional_embedding(embedding, (3, 3)), embedding)


def test_an_embedding_of_no_square_grid_is_refused():
    with pytest.raises(ValueError, match='7 rows is not one row plus a square grid'):
        resize_positional_embedding(torch.randn(7, 6), (3, 3))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(last_stride=3), 'last_stride must be 1 or 2, got 3'),
        (dict(pool='max'), "pool must be .* got 'max'"),
        (dict(pool='mean', heads=4), 'leave heads and output_dim out'),
        (dict(pool='mean', output_dim=10), 'leave heads and output_dim out'),
        (dict(input_size=(100, 32)), r'multiples of 16, got \(100, 32\)'),
        (dict(input_size=(48, 32), last_stride=2), 'multiples of 32'),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        CLIPResNet((1, 1, 1, 1), width=4, **settings)
