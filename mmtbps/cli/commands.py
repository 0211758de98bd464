"""All commands of ``mmtbps``."""

from cyclopts import App, Group

from mmtbps.version import __version__

from .annotate import annotate
from .app import app_of
from .convert import convert
from .crops import crops
from .export import export
from .extract import extract
from .fetch import fetch
from .models import models
from .report import compare
from .search import index, query, remove, verify_files
from .studies import studies
from .test import test
from .train import train
from .verify import verify
from .web import web

__all__ = ['mmtbps_app']

_HELP = """Text-based person search: find people in images by a sentence.

For example, without training:

    mmtbps search index crops/ --model nam --out gallery
    mmtbps search query gallery "a woman in a red coat" --show answer.png

`mmtbps COMMAND --help` tells more of each.
"""


def mmtbps_app() -> App:
    """The command line of ``mmtbps``."""
    app = app_of(name='mmtbps', help=_HELP)
    app.version, app.version_flags = f'mmtbps {__version__}', ['--version']
    searching, training, weights = (
        Group(title, sort_key=number)
        for number, title in enumerate(('Search', 'Train and test', 'Models and weights'), 1)
    )
    search = app_of(name='search', help='Index images, and find those that a sentence describes.', group=searching)
    search.command(index)
    search.command(query)
    search.command(remove)
    search.command(verify_files, name='verify')
    report = app_of(name='report', help='Compare what tests have written.', group=training)
    report.command(compare)
    app.command(search)
    app.command(report)
    for group, functions in (
        (searching, (crops, extract, web)),
        (training, (annotate, verify, train, test, studies)),
        (weights, (models, fetch, convert, export)),
    ):
        for function in functions:
            app.command(function, group=group)
    app.register_install_completion_command()
    return app
