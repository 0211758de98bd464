import warnings

import pytest
import torch
from fuzzing import cases
from tiny_search import write_model


@pytest.fixture(autouse=True)
def _quiet():
    """What is said about single cases is not looked at."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


def pytest_terminal_summary(terminalreporter):
    if cases['run']:
        terminalreporter.write_line(f'fuzz: {cases["run"]:,} cases, {cases["refused"]:,} of them refused')


@pytest.fixture(scope='session')
def model_files(tmp_path_factory):
    """Config and checkpoint of a tiny retriever."""
    return write_model(tmp_path_factory.mktemp('model'))
