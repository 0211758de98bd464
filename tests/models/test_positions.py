"""Positional embeddings between grids: which are resized, taken, refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.runner import load_checkpoint
from tiny_clip import IMAGE_ARCH

from mmtbps.models import CLIPResNet, CLIPViT, resize_positional_embedding
from mmtbps.models.clip.positions import GRID, fit_positions

side = st.integers(1, 6)


def sample(grid, row, column):
    """Value of a grid (R, C) at a place between its cells, beyond the outermost centres that of the edge."""
    rows, columns = grid.shape
    row, column = min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
    top, left = int(row), int(column)
    below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    upper = grid[top, left] * (1 - column + left) + grid[top, right] * (column - left)
    lower = grid[below, left] * (1 - column + left) + grid[below, right] * (column - left)
    return upper * (1 - row + top) + lower * (row - top)


@given(side, side, side, side)
def test_a_rectangle_becomes_a_rectangle_bilinearly(rows, columns, new_rows, new_columns):
    old = torch.randn(1 + rows * columns, 1)
    new = resize_positional_embedding(old, (new_rows, new_columns), (rows, columns))
    assert torch.equal(new[0], old[0])
    places = old[1:, 0].view(rows, columns)
    for index, value in enumerate(new[1:, 0]):
        row, column = divmod(index, new_columns)
        expected = sample(places, (row + 0.5) * rows / new_rows - 0.5, (column + 0.5) * columns / new_columns - 0.5)
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)


def vit(size, **settings):
    return CLIPViT(IMAGE_ARCH, input_size=size, **settings)


def resnet(size, **settings):
    return CLIPResNet((1, 1, 1, 1), width=4, heads=2, output_dim=16, input_size=tuple(2 * n for n in size), **settings)


def parts(tower):
    prefix = 'attnpool.' if isinstance(tower, CLIPResNet) else ''
    state = tower.state_dict()
    return prefix, state[f'{prefix}positional_embedding'], state[f'{prefix}{GRID}']


@pytest.fixture(params=[vit, resnet])
def make(request):
    return request.param


def test_the_grid_is_part_of_the_checkpoint(make):
    assert parts(make((96, 32)))[2].tolist() == [12, 4]


@pytest.mark.parametrize('size', [(64, 32), (48, 64)])
def test_plain_loading_refuses_the_positions_of_another_rectangle(make, tmp_path, size):
    source, tower = make((96, 32)), make(size)
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'a.pth')
    refusal = r'positional_embedding is of a grid of 12 x 4, but the model has .*input_size'
    with pytest.raises(ValueError, match=refusal):
        tower.load_state_dict(source.state_dict())
    with pytest.raises(ValueError, match=refusal):
        load_checkpoint(tower, str(tmp_path / 'a.pth'), map_location='cpu')


@pytest.mark.parametrize('told', [True, False])
def test_plain_loading_resizes_a_square_also_to_as_many_places(make, told):
    source, tower = make((64, 64)), make((128, 32))  # 8 x 8 and 16 x 4
    state = source.state_dict()
    prefix, old, _ = parts(source)
    if not told:
        del state[f'{prefix}{GRID}']
    tower.load_state_dict(state)
    _, new, grid = parts(tower)
    assert torch.equal(new, resize_positional_embedding(old, (16, 4)))
    assert not torch.equal(new, old)
    assert grid.tolist() == [16, 4]


def test_a_checkpoint_without_grid_is_taken_at_its_word_if_it_has_as_many_places_and_no_square(make):
    source, tower = make((96, 32)), make((96, 32))
    prefix, old, _ = parts(source)
    state = source.state_dict()
    del state[f'{prefix}{GRID}']
    with pytest.warns(UserWarning, match='without its grid; its 48 places are taken for 12 x 4'):
        tower.load_state_dict(state)
    assert torch.equal(parts(tower)[1], old)
    with pytest.raises(ValueError, match=r'has 49 rows, which is not one plus a square grid; build'):
        make((64, 32)).load_state_dict(state)


@given(side, side, side, side, st.booleans(), st.booleans())
def test_positions_are_never_taken_by_chance(rows, columns, old_rows, old_columns, told, released):
    """Whatever the grids: the result is what the plain rule says, or there is none."""
    embedding = torch.randn(1 + old_rows * old_columns, 3)
    weights = {'x.positional_embedding': embedding}
    if told:
        weights[f'x.{GRID}'] = torch.tensor((old_rows, old_columns))
    root = round((old_rows * old_columns) ** 0.5)
    square = root**2 == old_rows * old_columns
    if told:
        assumed = (old_rows, old_columns)
    elif square:
        assumed = (root, root)
    elif not released and rows * columns == old_rows * old_columns:
        assumed = (rows, columns)
    else:
        with pytest.raises(ValueError, match='square grid'):
            fit_positions(weights, (rows, columns), 'x.', released=released)
        return
    assert fit_positions(weights, (rows, columns), 'x.', released=released) == assumed
    expected = resize_positional_embedding(embedding, (rows, columns), assumed)
    assert torch.equal(weights['x.positional_embedding'], expected)
    assert weights[f'x.{GRID}'].tolist() == [rows, columns]


def test_a_grid_that_is_not_that_of_the_embedding_is_refused():
    weights = {'positional_embedding': torch.ones(13, 2), GRID: torch.tensor((3, 5))}
    with pytest.raises(ValueError, match=r'has 13 rows, which is not one plus a grid of 3 x 5'):
        fit_positions(weights, (3, 4))
    assert fit_positions({}, (3, 4)) is None


def test_weights_released_with_a_grid_start_another_and_those_without_one_are_refused(make, tmp_path):
    source = make((96, 32))
    prefix, old, _ = parts(source)
    state = {f'visual.{name}': value for name, value in source.state_dict().items() if name != 'quick_gelu'}
    init_cfg = dict(type='mmtbps.CLIPPretrained', checkpoint=str(tmp_path / 'clip.pt'))
    torch.save(state, tmp_path / 'clip.pt')
    for size, grid in (((64, 32), (8, 4)), ((48, 64), (6, 8)), ((96, 32), (12, 4))):
        tower = make(size, init_cfg=init_cfg)
        tower.init_weights()
        assert torch.equal(parts(tower)[1], resize_positional_embedding(old, grid, (12, 4)))
    del state[f'visual.{prefix}{GRID}']
    torch.save(state, tmp_path / 'clip.pt')
    with pytest.raises(ValueError, match=r'clip\.pt: .*positional_embedding has 49 rows.* square grid.*input_size'):
        make((96, 32), init_cfg=init_cfg).init_weights()
