"""From videos to a folder of crops and the table that the search reads."""

import difflib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmtbps.core.arguments import checked
from mmtbps.core.checks import at_least, in_unit, positive
from mmtbps.core.files import write_atomically
from mmtbps.core.text import printable, require_utf8
from mmtbps.registry import DETECTORS

from .boxes import Thinner, cut_box, suppress
from .detectors import Detector
from .frames import Frame, FrameSource, UnreadableSource
from .report import CropReport
from .sources import find_sources
from .table import CropTable, crop_path, plain_name, plain_number, sole_cropper

__all__ = ['Progress', 'crop_videos']

Progress = Callable[[str, float, CropReport], None]
"""Called after every frame with the path of its source, its time in seconds, and the counts so far."""

_WRITE_EVERY = 10.0
"""Seconds between two writes of the table, so that a kill leaves few crops that are not in it."""

_WRITE_SHARE = 20
"""So many times as long as a write takes is the time to the next one at least, however long the table is."""


def crop_videos(
    sources: str | os.PathLike | Iterable[str | os.PathLike],
    out: str | os.PathLike,
    detector: str | Mapping[str, Any] | Detector = 'HOGDetector',
    *,
    every: float = 1.0,
    camera: str | None = None,
    margin: float = 0.05,
    min_height: float = 64.0,
    overlap: float = 0.5,
    same_overlap: float = 0.7,
    same_seconds: float = 10.0,
    image_seconds: float = 1.0,
    quality: int = 95,
    progress: Progress | None = None,
) -> CropReport:
    """Cut the persons out of videos, for :meth:`~mmtbps.search.Searcher.index`.

    Writes ``<out>/<camera>/<source>_<time>_<frame>_<person>.jpg`` and the table ``<out>/crops.csv`` with the columns
    path, camera, time (seconds in the source), frame, x1, y1, x2, y2 (the crop in pixels of the frame), score and
    source, which :class:`~mmtbps.search.MetadataSource` reads.

    A further run into the same folder adds to it. Sources that are finished, unchanged, and were cropped with the same
    settings are not read again; others are, and their crops replace those of before. An interrupted run leaves the
    crops that were made and a whole table; the next one begins that source anew.

    Args:
        sources: A video, a folder, or several. Folders are searched recursively for videos and for images: the images
            of one folder are the frames of one source.
        out: Folder of the crops.
        detector: Name of a class registered in ``DETECTORS`` (or ``'package.module.Class'``), a dict of its ``type``
            and arguments, or a detector. Defaults to ``'HOGDetector'``, which needs no download. A detector object
            does not tell its settings, so that its sources are read again in every run.
        every: Seconds from one searched frame to the next; 0 searches all. Defaults to 1: somebody who crosses the
            view of a camera is in it for several seconds.
        camera: Folder and metadata field of all crops. Defaults to None: the name of each video or folder, with a
            number if it is taken.
        margin: What is added at each side of a box, as a share of its width and height. Defaults to 0.05: detectors
            cut off hands and shoes, and the images of CUHK-PEDES show a little of the surroundings.
        min_height: Lowest height of the visible part of a box in pixels. Defaults to 64: models enlarge crops to 256
            or 384 rows, and from fewer a bag or a shoe cannot be made out.
        overlap: Intersection over union above which two boxes of a frame are one person. Defaults to 0.5, usual for
            detectors.
        same_overlap: Intersection over union with a crop of the same source above which a later box is the same
            person, who stays. Defaults to 0.7: boxes of HOG move by an eighth of their width from frame to frame.
        same_seconds: How long ago that crop may have been made; 0 keeps every box. Defaults to 10: somebody who
            stays is kept six times a minute, and who takes another's place later is not lost.
        image_seconds: Time from one image of a folder to the next. Defaults to 1, which takes each with the default
            of ``every``.
        quality: Of the JPEG files, 1..100. Defaults to 95, at which colours and edges stay.
        progress: Called after every frame. Defaults to None.

    Returns:
        What was done. Sources that cannot be read are named there, and do not end the run.

    Raises:
        FileNotFoundError: If a source does not exist.
        ImportError: If a detector needs a package that is not installed.
        RuntimeError: If another process is writing into ``out``.
        TypeError: If an argument is of another type.
        ValueError: If an argument is out of range, the detector is unknown or finds no boxes but something else, or
            ``out`` holds another kind of table.
    """
    settings = _settings(
        every=every, margin=margin, min_height=min_height, overlap=overlap, same_overlap=same_overlap,
        same_seconds=same_seconds, quality=quality,
    )  # fmt: skip
    if camera is not None and plain_name(camera) != camera:
        raise ValueError(f'camera {camera!r:.80} is no plain name; write {plain_name(camera)!r}, for example.')
    require_utf8(out)
    found = find_sources(sources, out, at_least(1e-3)(image_seconds, 'image_seconds'))
    # Before anything is written: a mistake leaves no empty folder.
    model = _build_detector(detector)
    with sole_cropper(out):
        cropper = _Cropper(CropTable(out), model, settings, camera, progress)
        told = None if isinstance(detector, Detector) else repr(sorted(_config(detector).items()))
        for source in found:
            cropper.crop(source, dict(settings, detector=told, camera=camera, image_seconds=image_seconds))
    return cropper.report


@checked(margin=in_unit, overlap=in_unit, same_overlap=in_unit, quality=positive)
def _settings(
    every: float,
    margin: float,
    min_height: float,
    overlap: float,
    same_overlap: float,
    same_seconds: float,
    quality: int,
) -> dict[str, Any]:
    """The settings that decide the crops, checked."""
    if quality > 100:
        raise ValueError(f'quality must be at most 100, got {quality}.')
    return dict(locals())


def _build_detector(detector: Any) -> Detector:
    if isinstance(detector, Detector):
        return detector
    config = _config(detector)
    name = config['type']
    if DETECTORS.get(name) is None:
        close = difflib.get_close_matches(name, DETECTORS.module_dict, n=1)
        raise ValueError(
            f'detector {name!r:.80} is unknown' + (f', did you mean {close[0]!r}?' if close else '.') + ' There are '
            f'{", ".join(sorted(DETECTORS.module_dict))}; import the module of your own ones, which registers them.'
        )
    return DETECTORS.build(config)


def _config(detector: Any) -> dict[str, Any]:
    config = dict(type=detector) if isinstance(detector, str) else detector
    if not isinstance(config, Mapping) or not isinstance(config.get('type'), str):
        raise TypeError(f'detector must be a name, a dict with type=name, or a detector, got {detector!r:.80}.')
    return dict(config)


class _Cropper:
    """Crops sources one after the other.

    Args:
        table: Takes the crops.
        detector: Finds persons.
        settings: Those of :func:`crop_videos` that decide the crops of a frame.
        camera: Name for all sources; None for one each.
        progress: Called after every frame.
    """

    def __init__(
        self,
        table: CropTable,
        detector: Detector,
        settings: Mapping[str, Any],
        camera: str | None,
        progress: Progress | None,
    ) -> None:
        self.table = table
        self.detector = detector
        self.settings = settings
        self.camera = camera
        self.progress = progress
        self.report = CropReport(total=len(table))
        self._next_write = time.monotonic() + _WRITE_EVERY
        table.clean()

    def crop(self, source: FrameSource, decisive: Mapping[str, Any]) -> None:
        """Crop a source, unless a run with the same decisive settings finished it."""
        try:
            state = dict(decisive, content=source.state())
        except OSError as error:  # it was there when the sources were listed
            self.report.unreadable[source.path] = f'it cannot be opened any more ({error.strerror})'
            return
        if decisive['detector'] is not None and self.table.finished(source.path, state):
            self.report.unchanged.append(source.path)
            return
        label = self.table.label(source.path, source.name)
        self.table.begin(source.path)
        thinner = Thinner(self.settings['same_overlap'], self.settings['same_seconds'])
        paths: set[str] = set()
        try:
            for frame in source.sample(self.settings['every']):
                paths |= self._crop_frame(source, frame, label, thinner)
                self._tell(source, frame)
            self.report.sources += 1
            self.table.finish(source.path, state, paths)
        except UnreadableSource as error:
            self.report.unreadable[source.path] = str(error)
        finally:
            self.report.total = len(self.table)
            self.table.write()
        self.report.remarks += [f'{printable(source.path)}: {remark}' for remark in source.remarks]

    def _tell(self, source: FrameSource, frame: Frame) -> None:
        self.report.frames += 1
        begin = time.monotonic()
        if begin > self._next_write:
            self.table.write()
            taken = time.monotonic() - begin
            self._next_write = begin + taken + max(_WRITE_EVERY, _WRITE_SHARE * taken)
        if self.progress is not None:
            self.progress(source.path, frame.time, self.report)

    def _crop_frame(self, source: FrameSource, frame: Frame, label: str, thinner: Thinner) -> set[str]:
        """Write the crops of a frame; returns their paths."""
        boxes, scores = self._choose(frame, thinner)
        height, width = frame.image.shape[:2]
        paths = set()
        for number, (box, score) in enumerate(zip(boxes, scores, strict=True)):
            left, top, right, bottom = cut_box(box, self.settings['margin'], width, height)
            path = crop_path(self.camera or label, label, frame.time, frame.number, number)
            self._write(path, frame.image[top:bottom, left:right])
            self.table.add(
                dict(path=path, camera=self.camera or label, time=plain_number(frame.time, 3), frame=frame.number,
                     x1=left, y1=top, x2=right, y2=bottom, score=plain_number(score, 4), source=printable(source.path))
            )  # fmt: skip
            paths.add(path)
        self.report.crops += len(paths)
        return paths

    def _choose(self, frame: Frame, thinner: Thinner) -> tuple[np.ndarray, np.ndarray]:
        """Boxes, clipped to the frame, and scores of those persons of a frame who are to be cropped."""
        boxes, scores = _checked_boxes(self.detector, frame.image)
        height, width = frame.image.shape[:2]
        boxes = np.clip(boxes, 0, [width, height, width, height])
        large = (boxes[:, 3] - boxes[:, 1] >= max(self.settings['min_height'], 1)) & (boxes[:, 2] - boxes[:, 0] >= 1)
        self.report.too_small += int((~large).sum())
        boxes, scores = boxes[large], scores[large]
        kept = suppress(boxes, scores, self.settings['overlap'])
        self.report.overlapping += len(boxes) - len(kept)
        new = thinner.new(frame.time, boxes[kept])
        self.report.duplicates += int((~new).sum())
        return boxes[kept][new], scores[kept][new]

    def _write(self, path: str, crop: np.ndarray) -> None:
        encoded, content = cv2.imencode('.jpg', crop, [cv2.IMWRITE_JPEG_QUALITY, self.settings['quality']])
        if not encoded:
            raise RuntimeError(f'OpenCV cannot encode the crop {path} of shape {crop.shape} as JPEG.')
        write_atomically(Path(self.table.out, path), content.tobytes())


def _checked_boxes(detector: Detector, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a detector finds, as float64, or an error that names its class."""
    boxes, scores = (np.asarray(part, np.float64) for part in detector.detect(image))
    if boxes.size == 0 and scores.size == 0:
        return np.empty((0, 4)), np.empty(0)
    if (
        boxes.shape != (len(scores), 4)
        or scores.ndim != 1
        or not (np.isfinite(boxes).all() and np.isfinite(scores).all())
    ):
        raise ValueError(
            f'{type(detector).__name__}.detect must return boxes (N, 4) and scores (N,) of finite numbers, got '
            f'shapes {boxes.shape} and {scores.shape}.'
        )
    return boxes, scores
