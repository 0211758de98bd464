"""The web page in a real browser without a screen; whoever imports this is skipped where there is none."""

import os
import shutil
import time
from pathlib import Path

import pytest

webdriver = pytest.importorskip('selenium.webdriver', reason='the web page is not tested: install .[tests]')
pytest.importorskip('gradio', reason='the web page is not tested: install .[tests]')
if not (shutil.which('chromium') and shutil.which('chromedriver')):
    pytest.skip('the web page is not tested: apt-get install chromium chromium-driver', allow_module_level=True)

FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage',
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--window-size=1400,1000',
]  # fmt: skip


def start_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', dict(performance='ALL'))
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which('chromedriver')))
    driver.implicitly_wait(0)
    return driver


def place_of_shots(tmp_path_factory, request):
    """Where screenshots land; the run says so."""
    shots = Path(os.environ.get('MMTBPS_SCREENSHOTS') or tmp_path_factory.mktemp('screenshots'))
    shots.mkdir(parents=True, exist_ok=True)
    with request.config.pluginmanager.getplugin('capturemanager').global_and_fixture_disabled():
        print(f'\nscreenshots of the web page: {shots}')
    return shots


class Page:
    """What a person sees and does."""

    def __init__(self, driver, address, shots):
        self.driver, self.address, self.shots = driver, address, shots
        driver.get(address)
        self.message('Type a sentence')

    def one(self, selector):
        return self.until(lambda: self.driver.find_elements('css selector', selector), selector)[0]

    def until(self, condition, what, seconds=30):
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, (
                f'{what} not seen; the page says {self.driver.find_element("id", "message").text}'
            )
            time.sleep(0.05)
        return found

    def message(self, start):
        read = "return document.querySelector('#message .told')?.innerText.trim() ?? ''"
        return self.until(lambda: (text := self.driver.execute_script(read)).startswith(start) and text, start)

    def type(self, sentence):
        box = self.one('#sentence textarea')
        box.clear()
        box.send_keys(sentence)
        self.one('#search').click()

    def captions(self):
        read = "return [...document.querySelectorAll('#found .caption-label')].map(label => label.innerText)"
        return self.driver.execute_script(read)

    def is_seen(self, selector):
        return any(one.is_displayed() for one in self.driver.find_elements('css selector', selector))

    def upload(self, *files, button='upload'):
        field = self.one(f'input[type=file]:has(+ #{button})')
        field.send_keys('\n'.join(str(file) for file in files))

    def shoot(self, name):
        self.driver.save_screenshot(str(self.shots / f'{name}.png'))
