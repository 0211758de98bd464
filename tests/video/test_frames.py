"""Which frames are taken, and what is said of videos that are not whole."""

import cv2
import numpy as np
import pytest
from drawn_videos import ticks_of, with_durations, write_frames, write_video
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtbps.video.frames import FrameFolder, UnreadableSource, VideoFile, _Clock, _time, natural_order
from mmtbps.video.sources import find_sources


def greys(count):
    """Frames whose brightness tells their number."""
    return [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(count)]


def taken(source, every):
    frames = list(source.sample(every))
    seen = [round(float(frame.image.mean()) / 10) for frame in frames]
    assert seen == [frame.number for frame in frames]  # the pixels are those of the frame
    return [(frame.number, round(frame.time, 3)) for frame in frames]


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('video') / 'a.mp4', greys(25))


@pytest.mark.parametrize(
    ('every', 'numbers'),
    [
        (1.0, [0, 10, 20]),
        (0.8, [0, 8, 16, 24]),
        (0, range(25)),
        (0.01, range(25)),
        (0.25, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23]),
        (99, [0]),
    ],
)
def test_frames_at_regular_times(video, every, numbers):
    assert taken(VideoFile(video), every) == [(number, number / 10) for number in numbers]


def test_times_are_those_of_the_file_where_the_rate_varies(video, tmp_path):
    ticks = ticks_of(video)
    seconds = [0.25, 0.5, 0.25, 2.5, 0.125, 0.125, *[0.125] * 19]
    varied = with_durations(video, tmp_path / 'varied.mp4', [round(ticks * part) for part in seconds])
    times = [0, *np.cumsum(seconds)[:-1].round(3)]

    assert taken(VideoFile(varied), 0) == list(enumerate(times))
    # Second 2 and 3 have no frame of their own: 3.5 is the first after both.
    assert taken(VideoFile(varied), 1.0) == [(0, 0), (3, 1.0), (4, 3.5), (8, 4.0), (16, 5.0), (24, 6.0)]


def test_a_stream_without_times_and_rate(tmp_path):
    stream = tmp_path / 'raw.mjpeg'
    stream.write_bytes(b''.join(cv2.imencode('.jpg', image)[1].tobytes() for image in greys(13)))

    assert taken(VideoFile(stream), 0.2) == [(0, 0), (5, 0.2), (10, 0.4)]


@pytest.mark.parametrize(
    ('told', 'rate', 'expected'),
    [(7.0, 10, 7.0), (5.0, 10, 5.1), (0.0, 10, 5.1), (-1, 10, 5.1), (np.nan, 0, 5.04), (0.0, np.nan, 5.04)],
)
def test_times_that_do_not_rise_are_replaced(told, rate, expected):
    assert _time(told, rate, 3, 5.0) == pytest.approx(expected)
    assert _time(told, rate, 0, -np.inf) == (told if told > 0 else 0)


@settings(deadline=None)
@given(st.lists(st.integers(1, 900), max_size=20), st.integers(1, 1500))
def test_the_first_frame_after_each_multiple(steps, every):
    times = [0, *np.cumsum(steps).tolist()] if steps else [0]
    expected = set()
    for due in range(0, times[-1] + 1, every):
        expected.add(next(time for time in times if time >= due))
    clock = _Clock(every / 1000)
    assert [time for time in times if clock.due(time / 1000)] == sorted(expected)


def test_a_video_that_was_cut_off_gives_what_it_has_and_says_so(tmp_path):
    whole = write_video(tmp_path / 'whole.avi', greys(25), codec='MJPG').read_bytes()
    pictures = whole.split(b'00dc')
    (tmp_path / 'cut.avi').write_bytes(b'00dc'.join(pictures[:13]))  # what comes before them, and twelve
    source = VideoFile(tmp_path / 'cut.avi')

    for _ in range(2):
        found = taken(source, 0)
        assert found == [(number, number / 10) for number in range(len(found))]
        assert len(found) in (11, 12)  # FFmpeg may want to see the end of the last one
        assert source.remarks == [f'it ends after {len(found)} of about 25 frames, and may be damaged']


@pytest.mark.parametrize('content', [b'', b'no video', None])
def test_what_is_no_video(video, tmp_path, content):
    whole = video.read_bytes()
    path = tmp_path / 'broken.mp4'
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(UnreadableSource, match='no video that OpenCV can open, or it is damaged'):
        list(VideoFile(path).sample(1))


@settings(derandomize=True, deadline=None)  # what FFmpeg makes of damage should not differ from run to run
@given(st.data())
def test_no_damage_ends_in_another_error(video, tmp_path_factory, data):
    content = bytearray(video.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp('flipped') / 'a.mp4'
    path.write_bytes(content)
    try:
        times = [frame.time for frame in VideoFile(path).sample(0)]
    except UnreadableSource:
        return
    assert times == sorted(set(times))


def test_images_of_a_folder_are_frames_in_the_order_of_their_numbers(tmp_path):
    folder = write_frames(tmp_path / 'cam', greys(12))
    (source,) = find_sources(tmp_path, tmp_path / 'out', 0.5)

    assert isinstance(source, FrameFolder)
    assert taken(source, 1.0) == [(0, 0), (2, 1), (4, 2), (6, 3), (8, 4), (10, 5)]
    (folder / 'f3.png').write_bytes(b'broken')
    assert [number for number, _ in taken(source, 0)] == [0, 1, 2, *range(4, 12)]
    assert source.remarks == ['f3.png cannot be read (UnidentifiedImageError)']


def test_a_folder_without_a_good_image(tmp_path):
    (tmp_path / 'f1.png').write_bytes(b'broken')
    with pytest.raises(UnreadableSource, match='none of its images'):
        list(FrameFolder(tmp_path, ['f1.png'], 1.0).sample(1))


def test_natural_order():
    assert sorted(['f10', 'f9', 'f', '2x', 'f9b', '10'], key=natural_order) == ['2x', '10', 'f', 'f9', 'f9b', 'f10']


def test_sources_of_a_folder(video, tmp_path):
    for place in ('b/2.mp4', 'b/10.MP4', 'a.avi', '.hidden.mp4', '.hidden/x.mp4', 'out/x.mp4'):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(video.read_bytes())
    write_frames(tmp_path / 'frames', greys(1))
    write_frames(tmp_path / 'out' / 'cam', greys(1))
    (tmp_path / 'b' / 'again').symlink_to(tmp_path)
    (tmp_path / 'notes.txt').write_text('no video')

    found = find_sources([tmp_path, tmp_path / 'a.avi'], tmp_path / 'out', 1.0)
    assert [source.path[len(str(tmp_path)) + 1 :] for source in found] == ['a.avi', 'b/2.mp4', 'b/10.MP4', 'frames']
    assert [source.name for source in found] == ['a', '2', '10', 'frames']


@pytest.mark.parametrize(
    ('named', 'error', 'message'),
    [
        ('missing.mp4', FileNotFoundError, 'There is no video or folder .*missing.mp4'),
        ('empty', ValueError, 'The folder .*empty holds neither videos nor images; videos end in .*.mp4'),
        ('cam/f0.png', ValueError, 'f0.png is an image; name the folder of the frames'),
    ],
)
def test_what_is_no_source_is_told(tmp_path, named, error, message):
    (tmp_path / 'empty').mkdir()
    write_frames(tmp_path / 'cam', greys(1))
    with pytest.raises(error, match=message):
        find_sources(tmp_path / named, tmp_path / 'out', 1.0)


def test_addresses_and_nothing_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='is an address, not a file'):
        find_sources('https://example.org/street.mp4', tmp_path, 1.0)
    with pytest.raises(ValueError, match='sources is empty; name a video or a folder'):
        find_sources([], tmp_path, 1.0)
