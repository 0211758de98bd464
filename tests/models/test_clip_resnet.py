"""CLIPResNet against open_clip's own class."""

import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet

from mmtbps.models import CLIPResNet
from mmtbps.models.clip.positions import resize_positional_embedding


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
    with pytest.raises(ValueError, match='7 rows, which is not one plus a square grid'):
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
        (dict(frozen_stages=5), r'between -1 \(none\) and 4 \(all\), but got 5'),
        (dict(frozen_stages=-2), 'frozen_stages'),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        CLIPResNet((1, 1, 1, 1), width=4, **settings)


def make(**kwargs):
    torch.manual_seed(0)
    ours = CLIPResNet((1, 2, 1, 1), width=4, heads=2, output_dim=10, input_size=(32, 32), **kwargs)
    for stage in (ours.layer1, ours.layer2, ours.layer3, ours.layer4):
        for block in stage:
            torch.nn.init.normal_(block.bn3.weight)
    return ours


@pytest.mark.parametrize('frozen_stages', [-1, 2])
def test_checkpointing_changes_neither_gradients_nor_statistics(frozen_stages):
    results = []
    for with_cp in (False, True):
        ours = make(with_cp=with_cp, frozen_stages=frozen_stages).train()
        features = ours(torch.linspace(-1, 1, 2 * 3 * 32 * 32).sin().view(2, 3, 32, 32))
        features.square().sum().backward()
        results.append([features, [weight.grad for weight in ours.parameters()], list(ours.state_dict().values())])
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=0)
    assert ours.layer4[0].bn1.num_batches_tracked == 1


def test_checkpointing_keeps_fewer_activations():
    kept = []
    for with_cp in (False, True):
        kept.append(0)

        def count(tensor):
            kept[-1] += tensor.numel()

        with torch.autograd.graph.saved_tensors_hooks(count, lambda _: _):
            make(with_cp=with_cp)(torch.ones(2, 3, 32, 32))
    assert kept[1] < 0.6 * kept[0]


@pytest.mark.parametrize(
    ('frozen_stages', 'trained'),
    [
        (-1, ['conv', 'bn', 'layer1', 'layer2', 'layer3', 'layer4', 'attnpool']),
        (0, ['layer1', 'layer2', 'layer3', 'layer4', 'attnpool']),
        (2, ['layer3', 'layer4', 'attnpool']),
        (4, []),
    ],
)
def test_what_is_frozen_does_not_move(frozen_stages, trained):
    ours = make(frozen_stages=frozen_stages)
    head = torch.nn.Linear(10, 1)
    # The retriever sets the mode of its parts.
    model = torch.nn.Sequential(ours, head).eval().train()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=1.0)
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    moved = {name for name, value in ours.state_dict().items() if not torch.equal(value, before[name])}
    # The bias of the keys has gradient 0; the grid is no weight.
    still = {'attnpool.k_proj.bias', 'attnpool.positional_grid'}
    expected = {name for name in before if name.startswith(tuple(trained))} - still
    assert moved - {'attnpool.k_proj.bias'} == expected


def test_depth_of_layers():
    ours = make()
    depths = {ours.get_layer_depth(name)[0] for name, _ in ours.named_parameters()}
    assert depths == {0, 1, 2, 3, 4, 5}
    assert ours.get_layer_depth('backbone.bn2.bias', 'backbone.') == (0, 6)
    assert ours.get_layer_depth('backbone.layer3.0.conv1.weight', 'backbone.') == (3, 6)
    assert ours.get_layer_depth('backbone.attnpool.c_proj.bias', 'backbone.') == (5, 6)
    assert ours.get_layer_depth('neck.weight', 'backbone.') == (5, 6)
