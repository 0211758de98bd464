import re
import runpy
import string
from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmtbps.toy.attributes import (
    LOOK_ALIKE_BLOCK,
    LOOK_ALIKE_GROUP,
    Person,
    look_alike_index,
    sample_person,
    sample_shots,
    stream,
)
from mmtbps.toy.grammar import describe_image
from mmtbps.toy.phrases import visible_parts
from mmtbps.toy.scene import draw_image

parse_caption = runpy.run_path(str(Path(__file__).parents[2] / 'tools/dataset_tools/toy_parser.py'))['parse_caption']

PARTS = ('bottom', 'shoes', 'bag', 'hat', 'hair', 'glasses', 'scarf')


def images(split, count):
    """Person, shot and captions of every image of the first identities."""
    for index in range(count):
        person = sample_person(0, split, index)
        for number, shot in enumerate(sample_shots(0, split, index, 2)):
            yield person, shot, describe_image(person, shot, stream(0, split, index, 2 + number))


@pytest.fixture(scope='module')
def train():
    return list(images('train', 750))


def differing(one, other):
    return {field.name for field in fields(Person) if getattr(one, field.name) != getattr(other, field.name)}


def test_look_alikes_differ_in_the_same_single_attribute():
    groups = 0
    for start in range(0, 20 * LOOK_ALIKE_BLOCK, LOOK_ALIKE_BLOCK):
        members = [i for i in range(start, start + LOOK_ALIKE_BLOCK) if look_alike_index(i) >= 0]
        assert len(members) == LOOK_ALIKE_GROUP
        people = [sample_person(0, 'test', i) for i in members]
        names = [differing(a, b) for i, a in enumerate(people) for b in people[:i]]
        assert len(names[0]) == 1
        assert all(name == names[0] for name in names)
        groups += 1
    assert groups * LOOK_ALIKE_GROUP / (20 * LOOK_ALIKE_BLOCK) == 0.25


def test_look_alikes_look_different():
    for block in range(40):
        first = LOOK_ALIKE_BLOCK * (block + 1) - LOOK_ALIKE_GROUP
        people = [sample_person(0, 'test', first + member) for member in range(LOOK_ALIKE_GROUP)]
        shots = [replace(sample_shots(0, 'test', 0, 1)[0], view=view, feet_hidden='no') for view in ('front', 'back')]
        for one, other in pairwise(people):
            pairs = [[draw_image(p, shot, np.random.default_rng(1)) for p in (one, other)] for shot in shots]
            assert any((a != b).any() for a, b in pairs), differing(one, other)


def test_identities_outside_groups_differ_in_several_attributes():
    people = [sample_person(0, 'test', i) for i in range(120) if look_alike_index(i) <= 0]
    assert min(len(differing(a, b)) for i, a in enumerate(people) for b in people[:i]) >= 3


def test_splits_and_seeds_share_no_person():
    people = [
        [sample_person(seed, split, i) for i in range(50)] for seed in (0, 1) for split in ('train', 'val', 'test')
    ]
    assert len({person for group in people for person in group}) == 300


def test_images_of_an_identity_change_view_and_camera():
    for index in range(30):
        shots = sample_shots(0, 'train', index, 3)
        assert len({shot.view for shot in shots}) == 3
        assert len({shot.camera for shot in shots}) == 3


def test_captions_tell_only_what_is_true(train):
    for person, _, captions in train:
        for caption in captions:
            told = parse_caption(caption.text)
            assert told, caption.text
            assert all(getattr(person, name) == value for name, value in told.items()), caption.text


def test_the_parser_reads_what_the_grammar_meant(train):
    for _, _, captions in train:
        for caption in captions:
            assert parse_caption(caption.text) == caption.attributes, caption.text


def test_captions_tell_only_what_shows(train):
    for person, shot, captions in train:
        hidden = set(PARTS) - set(visible_parts(person, shot))
        for caption in captions:
            told = parse_caption(caption.text)
            assert not hidden & {name.split('_')[0] for name in told}, caption.text
            assert told.get('top_pattern') != 'print' or shot.view == 'front', caption.text


def test_parser_rejects_a_false_sentence():
    told = parse_caption('A man wearing a red shirt with white stripes, blue shorts and black boots. His hair is long.')
    assert told == dict(
        gender='man',
        top_color='red',
        top_accent='white',
        top_pattern='stripes',
        bottom_kind='shorts',
        bottom_color='blue',
        shoes_kind='boots',
        shoes_color='black',
        hair_style='long',
    )


def test_the_two_captions_of_an_image_differ_in_what_they_tell(train):
    same = sum(first.attributes == second.attributes for _, _, (first, second) in train)
    assert same < 0.01 * len(train)


def test_captions_read_like_cuhk_pedes(train):
    words = [
        caption.text.lower().translate(str.maketrans('', '', string.punctuation)).split()
        for _, _, captions in train
        for caption in captions
    ]
    assert 20 <= np.mean([len(caption) for caption in words]) <= 25
    assert min(map(len, words)) >= 5
    vocabulary = Counter(word for caption in words for word in caption)
    assert 300 <= len(vocabulary) <= 1000
    assert len({' '.join(caption) for caption in words}) == len(words)


def test_drawing_is_a_function_of_its_arguments():
    person, shot = sample_person(3, 'val', 5), sample_shots(3, 'val', 5, 1)[0]
    first, second = (draw_image(person, shot, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8
    assert 2.0 < first.shape[0] / first.shape[1] < 2.8


def test_articles_fit_the_next_word(train):
    for _, _, captions in train:
        for text in (caption.text for caption in captions):
            assert not re.search(r'\ba (?!one\b)[aeiou]|\ban [^aeiou]|[Tt]here is (?!an? )', text), text
