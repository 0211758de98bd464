"""From videos to a folder of crops and its table, which the search reads."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_videos import RedBoxes, draw_walker, red_boxes, street, write_frames, write_video
from filelock import FileLock
from tiny_search import PixelEncoder

import mmtbps
from mmtbps.registry import DETECTORS
from mmtbps.search import MetadataSource, Searcher, list_images, parse_where
from mmtbps.video import CropReport, Detector, crop_videos

EXACT = dict(detector='RedBoxes', margin=0.0)
STAYS = [10, 20, 50, 120]


def walks(number):
    return [100, 5 + 3 * number, 130, 90 + 3 * number]


def frames(count):
    return [red_boxes([STAYS, walks(number)]) for number in range(count)]


def rows_of(out):
    with open(out / 'crops.csv', newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def contents(out):
    """Every visible file but the record, with its bytes."""
    found = (path for path in Path(out).rglob('*') if path.is_file() and not path.name.startswith('.'))
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.fixture
def cam(tmp_path):
    return write_frames(tmp_path / 'cam', frames(25))


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'crops'


def test_crops_and_their_table(cam, out):
    report = crop_videos(cam, out, **EXACT, same_seconds=0)

    assert (report.sources, report.frames, report.crops, report.total) == (1, 25, 50, 50)
    rows = rows_of(out)
    assert list(rows[0]) == ['path', 'camera', 'time', 'frame', 'x1', 'y1', 'x2', 'y2', 'score', 'source']
    assert [row['path'] for row in rows] == sorted(row['path'] for row in rows)
    assert [float(row['time']) for row in rows] == [time for time in range(25) for _ in (0, 1)]
    for number, (stays, moves) in enumerate(zip(rows[::2], rows[1::2], strict=True)):
        assert [int(stays[key]) for key in ('x1', 'y1', 'x2', 'y2')] == STAYS
        assert [int(moves[key]) for key in ('x1', 'y1', 'x2', 'y2')] == walks(number)
        assert (stays['score'], moves['score'], stays['camera']) == ('0.9', '0.8', 'cam')
        assert (stays['frame'], stays['source']) == (str(number), str(cam))
    for row in rows:
        crop = cv2.imread(str(out / row['path']))
        assert crop.shape == (int(row['y2']) - int(row['y1']), int(row['x2']) - int(row['x1']), 3)
        assert np.abs(crop.astype(int) - (0, 0, 255)).max() <= 3  # JPEG's red
    assert {Path(path).parent.name for path in contents(out) if path.endswith('.jpg')} == {'cam'}


def test_who_stays_is_cropped_once_in_ten_seconds(cam, out):
    report = crop_videos(cam, out, **EXACT)

    times = [row['time'] for row in rows_of(out) if row['x1'] == '10']
    assert times == ['0', '11', '22']
    # The other one, 85 pixels wide, moves by 3 in a frame; the overlap is (85 - 15) / (85 + 15) after five of them.
    moves = [int(row['time']) for row in rows_of(out) if row['x1'] == '100']
    assert moves == [0, 5, 10, 15, 20]
    assert (report.crops, report.duplicates) == (8, 42)


def test_margin_clipping_and_small_boxes(tmp_path, out):
    write_frames(tmp_path / 'cam', [red_boxes([(0, 20, 30, 120), (60, 0, 100, 50), (120, 100, 160, 200)])])
    report = crop_videos(tmp_path / 'cam', out, 'RedBoxes', margin=0.1)

    boxes = [[int(row[key]) for key in ('x1', 'y1', 'x2', 'y2')] for row in rows_of(out)]
    assert boxes == [[0, 10, 33, 130], [116, 90, 160, 200]]
    assert (report.crops, report.too_small) == (2, 1)


@DETECTORS.register_module(force=True)
class Given(Detector):
    """Finds what it is told."""

    def __init__(self, boxes, scores):
        self.found = boxes, scores

    def detect(self, image):
        return self.found


@pytest.mark.parametrize(
    ('boxes', 'scores', 'expected', 'counts'),
    [
        ([[-50, -10, 40, 300], [1e9, 0, 2e9, 90]], [0.5, 0.6], [['0', '0', '40', '200']], (0, 1)),
        ([[0, 0, 40, 100], [2, 0, 42, 100]], [0.5, 0.6], [['2', '0', '42', '100']], (1, 0)),
        ([[0, 0, 40, 100], [90, 0, 50, 100]], [0.5, 0.6], [['0', '0', '40', '100']], (0, 1)),
        ([], [], [], (0, 0)),
        (np.empty((0, 4)), np.empty(0), [], (0, 0)),
        ([[0.4, 0.6, 40.2, 100.1]], [2], [['0', '0', '41', '101']], (0, 0)),
    ],
)
def test_boxes_of_any_kind(tmp_path, out, boxes, scores, expected, counts):
    write_frames(tmp_path / 'cam', [red_boxes([])])
    report = crop_videos(tmp_path / 'cam', out, dict(type='Given', boxes=boxes, scores=scores), margin=0)

    assert [[row[key] for key in ('x1', 'y1', 'x2', 'y2')] for row in rows_of(out)] == expected
    assert (report.overlapping, report.too_small) == counts


@pytest.mark.parametrize(
    ('boxes', 'scores'), [([[0, 0, 1]], [1]), ([[0, 0, 1, np.nan]], [1]), ([[0, 0, 9, 9]], [1, 2]), ([1, 2, 3, 4], [1])]
)
def test_a_detector_that_finds_no_boxes_is_named(tmp_path, out, boxes, scores):
    write_frames(tmp_path / 'cam', [red_boxes([])])
    with pytest.raises(ValueError, match=r'^Given.detect must return boxes \(N, 4\) and scores'):
        crop_videos(tmp_path / 'cam', out, Given(boxes, scores))


def test_a_second_run_reads_nothing_again(cam, out):
    crop_videos(cam, out, **EXACT)
    before, calls = contents(out), RedBoxes.calls
    report = crop_videos(cam, out, **EXACT)

    assert RedBoxes.calls == calls
    assert contents(out) == before
    assert (report.crops, report.unchanged, report.total) == (0, [str(cam)], 8)


def test_another_video_is_added(cam, out, tmp_path):
    other = write_frames(tmp_path / 'other', frames(2))
    crop_videos(cam, out, **EXACT)
    report = crop_videos([cam, other], out, **EXACT)

    assert (report.crops, report.total) == (2, 10)
    assert {row['camera'] for row in rows_of(out)} == {'cam', 'other'}


def test_other_settings_and_other_content_replace_what_was_there(cam, out, tmp_path):
    crop_videos(cam, out, **EXACT, same_seconds=0)
    crop_videos(cam, out, **EXACT)
    fresh = tmp_path / 'fresh'
    crop_videos(cam, fresh, **EXACT)
    assert contents(out) == contents(fresh)

    cv2.imwrite(str(cam / 'f25.png'), red_boxes([walks(10)]))
    report = crop_videos(cam, out, **EXACT)
    assert (report.frames, report.total, len(rows_of(out))) == (26, 9, 9)

    crop_videos(cam, out, **EXACT, camera='gate')
    assert {row['camera'] for row in rows_of(out)} == {'gate'}
    assert {path.split('/')[0] for path in contents(out)} == {'gate', 'crops.csv'}


def test_a_deleted_crop_stays_deleted(cam, out):
    crop_videos(cam, out, **EXACT)
    gone = out / rows_of(out)[0]['path']
    gone.unlink()
    crop_videos(cam, out, **EXACT)
    assert not gone.exists()
    (out / 'crops.csv').unlink()
    crop_videos(cam, out, **EXACT)
    assert gone.exists()


def test_interrupted_and_begun_again(cam, out, tmp_path):
    other = write_frames(tmp_path / 'other', frames(3))
    whole = tmp_path / 'whole'
    crop_videos([other, cam], whole, **EXACT)

    def interrupt(source, time, report):
        if source == str(cam) and time == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crop_videos([other, cam], out, **EXACT, progress=interrupt)
    rows = rows_of(out)
    assert {row['path'] for row in rows} == {path for path in contents(out) if path.endswith('.jpg')}
    assert max(float(row['time']) for row in rows) == 11
    assert contents(out).items() - contents(whole).items() == {('crops.csv', contents(out)['crops.csv'])}

    report = crop_videos([other, cam], out, **EXACT)
    assert report.unchanged == [str(other)]
    assert contents(out) == contents(whole)


def test_what_a_killed_run_left_is_removed(cam, out):
    crop_videos(cam, out, **EXACT)
    whole = contents(out)
    left = [out / 'cam' / '.x.jpg.abc.unfinished', out / 'cam' / 'cam_0000007.250_000029_00.jpg']
    for path in left:
        path.write_bytes(b'half')
    (out / 'cam' / 'cam_b_0000007.250_000029_00.jpg').write_bytes(b'of another source')
    (out / '.crops.json').unlink()  # so that it is done again
    crop_videos(cam, out, **EXACT)

    assert not any(path.exists() for path in left)
    assert contents(out) == {**whole, 'cam/cam_b_0000007.250_000029_00.jpg': b'of another source'}


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
import drawn_videos
from mmtbps.video import crop_videos, cropping

def progress(source, time, report):
    if time == 12:
        os.kill(os.getpid(), signal.SIGKILL)

cropping._WRITE_EVERY = cropping._WRITE_SHARE = 0.0
crop_videos(sys.argv[1], sys.argv[2], 'RedBoxes', margin=0.0, progress=progress)
"""


def test_a_run_that_is_killed_and_begun_again(cam, out, tmp_path):
    folders = [str(Path(mmtbps.__file__).parents[1]), str(Path(__file__).parents[1])]
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', KILLED, str(cam), str(out), *folders])
    assert done.returncode == -signal.SIGKILL
    rows = rows_of(out)  # of the frames before the last write
    assert {row['path'] for row in rows} == {path for path in contents(out) if path.endswith('.jpg')}
    assert [row['time'] for row in rows] == ['0', '0', '5', '10', '11']

    report, whole = crop_videos(cam, out, **EXACT), tmp_path / 'whole'
    crop_videos(cam, whole, **EXACT)
    assert (report.crops, report.unchanged) == (8, [])
    assert contents(out) == contents(whole)


def test_a_source_that_goes_meanwhile_is_named(cam, out, tmp_path):
    (tmp_path / 'street.mp4').write_bytes(b'short-lived')
    report = crop_videos(
        [cam, tmp_path / 'street.mp4'], out, **EXACT, progress=lambda *_: (tmp_path / 'street.mp4').unlink(True)
    )
    assert list(report.unreadable.values()) == ['it cannot be opened any more (No such file or directory)']
    assert report.total == 8


def test_sources_of_one_name_are_two_cameras(tmp_path, out):
    first, second, third = (write_frames(tmp_path / place / 'cam', frames(3)) for place in ('c', 'a', 'b'))
    crop_videos([first], out, **EXACT)
    crop_videos([second, first, third], out, **EXACT)

    cameras = {row['source']: row['camera'] for row in rows_of(out)}
    assert cameras == {str(first): 'cam', str(second): 'cam-2', str(third): 'cam-3'}
    before = contents(out)
    (out / '.crops.json').unlink()  # names are in the table, too
    crop_videos([third, second, first], out, **EXACT)
    assert contents(out) == before


def test_one_camera_for_several_videos(tmp_path, out):
    sources = [write_frames(tmp_path / place / 'cam', frames(3)) for place in ('a', 'b')]
    report = crop_videos(sources, out, **EXACT, camera='gate')

    rows = rows_of(out)
    assert {row['camera'] for row in rows} == {'gate'}
    assert len({row['path'] for row in rows}) == len(rows) == report.crops == 4


@pytest.mark.parametrize(
    ('name', 'camera'),
    [
        ('gate 7 (night)', 'gate_7_night'),
        ('..', None),
        ('.cam', 'cam'),
        ('Ö' * 120, 'Ö' * 50),
        ('a,"b"c', 'a_b_c'),
        ('007', '007'),
        ('...', 'video'),
    ],
)
def test_names_that_others_can_read(tmp_path, out, name, camera):
    if camera is None:
        with pytest.raises(ValueError, match=r"camera '\.\.' is no plain name; write 'video'"):
            crop_videos(write_frames(tmp_path / 'cam', frames(1)), out, **EXACT, camera=name)
        assert not out.exists()
        return
    crop_videos(write_frames(tmp_path / name, frames(1)), out, **EXACT)
    assert {row['camera'] for row in rows_of(out)} == {camera}
    listed = list_images(out, MetadataSource(out / 'crops.csv')).images
    assert {image.metadata['camera'] for image in listed} == {camera}


def test_a_name_that_is_no_utf8(tmp_path, out):
    folder = os.fsdecode(bytes(tmp_path) + b'/cam\xd0')
    try:
        write_frames(Path(folder), [])
    except OSError:
        pytest.skip('This file system takes UTF-8 only.')
    content = cv2.imencode('.png', frames(1)[0])[1].tobytes()
    Path(folder, 'f0.png').write_bytes(content)
    crop_videos(folder, out, **EXACT)
    report = crop_videos(folder, out, **EXACT)
    assert (len(report.unchanged), report.total) == (1, 2)
    assert '\\xd0' in str(rows_of(out)[0]['source'])


def test_a_broken_video_is_named_and_the_others_are_cropped(cam, out, tmp_path):
    (tmp_path / 'broken.mp4').write_bytes(b'no video')
    report = crop_videos([tmp_path / 'broken.mp4', cam], out, **EXACT)

    assert list(report.unreadable) == [str(tmp_path / 'broken.mp4')]
    assert (report.sources, report.total) == (1, 8)
    assert f'Not read: {tmp_path}/broken.mp4: it is no video that OpenCV can open, or it is damaged.' in str(report)
    (cam / 'f3.png').write_bytes(b'broken')
    report = crop_videos([tmp_path / 'broken.mp4', cam], out, **EXACT)
    assert report.remarks == [f'{cam}: f3.png cannot be read (UnidentifiedImageError)']
    assert report.remarks[0] in str(report)


def test_the_report_is_a_paragraph():
    report = CropReport(2, 30, 12, 17, 1, 3, unchanged=['a', 'b'], total=40)
    assert str(report) == (
        '12 crops from 30 frames of 2 sources; left out: 17 at places where '
        'somebody was cropped shortly before (same_seconds), 1 that overlap others, '
        '3 too small. Finished before: 2. 40 crops in the table.'
    )


def test_a_detector_of_another_project(cam, out, tmp_path, monkeypatch):
    (tmp_path / 'foreign_detectors.py').write_text(
        'import numpy as np\n'
        'from mmtbps.registry import DETECTORS\n'
        'from mmtbps.video import Detector\n\n'
        '@DETECTORS.register_module()\n'
        'class Halves(Detector):\n'
        '    def detect(self, image):\n'
        '        height, width = image.shape[:2]\n'
        '        return np.array([[0, 0, width / 2, height]]), np.ones(1)\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    report = crop_videos(cam, out, 'foreign_detectors.Halves', margin=0)
    assert report.crops == 3
    assert cv2.imread(str(out / rows_of(out)[0]['path'])).shape == (200, 80, 3)


def test_a_detector_object_is_asked_in_every_run(cam, out):
    first = crop_videos(cam, out, RedBoxes(), margin=0)
    before = contents(out)
    second = crop_videos(cam, out, RedBoxes(), margin=0)
    assert (first.crops, second.crops, second.unchanged) == (8, 8, [])
    assert contents(out) == before


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (dict(detector='HOGDetecter'), ValueError, "detector 'HOGDetecter' is unknown, did you mean 'HOGDetector'"),
        (dict(detector=dict(scale=1)), TypeError, 'detector must be a name, a dict with type=name, or a detector'),
        (dict(detector=7), TypeError, 'detector must be a name'),
        (dict(every=-1), ValueError, 'every must not be negative, got -1'),
        (dict(every=None), TypeError, 'every must be a number, got None'),
        (dict(margin=2), ValueError, r'margin must be in 0\.\.1, got 2'),
        (dict(overlap=float('nan')), ValueError, 'overlap must be a finite number'),
        (dict(quality=101), ValueError, 'quality must be at most 100, got 101'),
        (dict(image_seconds=0), ValueError, 'image_seconds must be at least 0.001, got 0'),
        (dict(camera='a/b'), ValueError, "camera 'a/b' is no plain name; write 'a_b'"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(cam, out, options, error, message):
    with pytest.raises(error, match=message):
        crop_videos(cam, out, **options)
    assert not out.exists()


def test_a_folder_with_another_table_is_left_alone(cam, out):
    out.mkdir()
    (out / 'crops.csv').write_text('path,mine\na.jpg,1\n')
    with pytest.raises(ValueError, match=r'crops.csv is no table of crops.*its columns are path, mine.*another folder'):
        crop_videos(cam, out, **EXACT)
    assert (out / 'crops.csv').read_text() == 'path,mine\na.jpg,1\n'


def test_two_processes_do_not_write_into_one_folder(cam, out):
    out.mkdir()
    with (
        FileLock(out / '.lock'),
        pytest.raises(RuntimeError, match=r'Another process is writing crops into .*; wait for it'),
    ):
        crop_videos(cam, out, **EXACT)


def test_a_record_that_points_elsewhere_writes_nothing_there(cam, out):
    crop_videos(cam, out, **EXACT)
    record = (out / '.crops.json').read_text()
    (out / '.crops.json').write_text(record.replace('"cam"', '"../cam"'))
    crop_videos(cam, out, **EXACT, same_seconds=0)
    assert sorted(path.name for path in cam.parent.iterdir()) == ['cam', 'crops']
    assert not list(cam.glob('*.jpg'))
    assert {row['camera'] for row in rows_of(out)} == {'cam'}


@pytest.fixture(scope='module')
def street_video(tmp_path_factory):
    """Fourteen seconds: somebody stands on the right, somebody in red walks in at second 9 and stays from 11 on."""
    pictures = []
    for second in range(14):
        picture = draw_walker(street(), 250, 90, 110)
        if second >= 9:
            draw_walker(picture, 40 + 30 * min(second - 9, 2), 80, 130, (40, 30, 140))
        pictures += [picture] * 5
    return write_video(tmp_path_factory.mktemp('street') / 'street.mp4', pictures, fps=5.0)


def test_from_a_video_to_a_search(street_video, out):
    report = crop_videos(street_video, out, dict(type='HOGDetector', smallest=100))
    assert (report.frames, report.unreadable, report.remarks) == (14, {}, [])

    listing = list_images(out, MetadataSource(out / 'crops.csv'))
    assert len(listing.images) == report.crops
    found = {(image.metadata['time'], 'left' if image.metadata['x1'] < 150 else 'right') for image in listing.images}
    assert found == {(0, 'right'), (11, 'right'), (9, 'left'), (10, 'left'), (11, 'left')}
    (late,) = parse_where('time >= 10')
    assert sum(late.holds(image.metadata) for image in listing.images) == 3

    searcher = Searcher(PixelEncoder())
    searcher.index(out, metadata=MetadataSource(out / 'crops.csv'))
    results = searcher.search('a man in red', topk=5, where=['time >= 10', 'camera = street'])
    assert sorted(result.metadata['time'] for result in results) == [10, 11, 11]
    assert searcher.search('a man in red', topk=1, where='time = 9')[0].metadata['source'] == str(street_video)
