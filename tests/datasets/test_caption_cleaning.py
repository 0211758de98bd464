"""Cleaning of captions against what the public code of TBPS-CLIP makes of them."""

import numpy as np
import pytest
from ladder_vectors import FOLDER

from mmtbps.datasets import CLIPTokenizer
from mmtbps.datasets.caption_cleaning import clean_as_tbps_clip


def test_captions_are_cleaned_as_by_the_public_code():
    with np.load(FOLDER / 'tbps_clip' / 'text.npz') as arrays:
        pairs = [(str(raw), str(clean)) for raw, clean in zip(arrays['raw'], arrays['clean'], strict=True)]
    assert [clean_as_tbps_clip(raw) for raw, _ in pairs] == [clean for _, clean in pairs]
    plain, cleaning = CLIPTokenizer(), CLIPTokenizer(cleaning='tbps-clip')
    for raw, clean in pairs:
        assert cleaning.encode(raw) == plain.encode(clean)
        assert cleaning.tokenize(raw) == plain.tokenize(clean)


def test_tokens_are_those_of_the_public_code():
    with np.load(FOLDER / 'tbps_clip' / 'text.npz') as arrays:
        tokenizer = CLIPTokenizer()
        for sentence, ids in zip(arrays['tokens.sentence'], arrays['tokens.ids'].tolist(), strict=True):
            own = tokenizer.encode(str(sentence))
            assert own == ids[: len(own)]
            assert not any(ids[len(own) :])


def test_an_unknown_cleaning_is_refused():
    with pytest.raises(ValueError, match=r"cleaning must be one of \['tbps-clip'\], got 'irra'"):
        CLIPTokenizer(cleaning='irra')
