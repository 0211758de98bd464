"""``mmtbps crops``: persons out of videos."""

from .arguments import Words
from .settings import pairs

__all__ = ['crops']


def crops(
    *sources: str,
    out: str,
    detector: str = 'HOGDetector',
    detector_options: Words = None,
    every: float = 1.0,
    camera: str | None = None,
    min_height: float = 64.0,
    margin: float = 0.05,
    overlap: float = 0.5,
    same_overlap: float = 0.7,
    same_seconds: float = 10.0,
    image_seconds: float = 1.0,
    quality: int = 95,
) -> None:
    """Cut the persons out of videos or frames, with camera, time and box as metadata.

    For example:

        mmtbps crops street.mp4 --out crops
        mmtbps search index crops --metadata crops/crops.csv --model nam --out gallery
        mmtbps search query gallery "a woman in red" --where "time >= 10"

    Args:
        sources: Videos, and folders of videos or of frames.
        out: Folder of the crops and of the table crops.csv; another run adds to it.
        detector: HOGDetector (no download), TorchvisionDetector, MMDetDetector, or a class of your own:
            package.module.Class.
        detector_options: Its arguments: `key=value ...`.
        every: Seconds from one searched frame to the next; 0 searches all.
        camera: One name for all sources (default: each has its own).
        min_height: Lowest visible height of a person in pixels.
        margin: Added at each side of a box, as a share of its width and height.
        overlap: Overlap above which two boxes of a frame are one person.
        same_overlap: Overlap with an earlier crop above which a box is somebody who stays.
        same_seconds: How long ago that crop may have been made; 0 keeps every box.
        image_seconds: Seconds from one image of a folder to the next.
        quality: Of the JPEG files, 1 to 100.
    """
    from pathlib import Path

    from mmtbps.core.terminal import progress_bar
    from mmtbps.video import CropReport, crop_videos

    if not sources:
        raise ValueError('crops needs a video or a folder.')
    with progress_bar(unit=' frames') as bar:

        def show(source: str, seconds: float, so_far: CropReport) -> None:
            bar.set_description(f'{Path(source).name}, second {seconds:.0f}', refresh=False)
            bar.set_postfix_str(f'{so_far.crops} crops', refresh=False)
            bar.update()

        try:
            report = crop_videos(
                sources, out, dict(pairs(detector_options), type=detector), every=every, camera=camera, margin=margin,
                min_height=min_height, overlap=overlap, same_overlap=same_overlap, same_seconds=same_seconds,
                image_seconds=image_seconds, quality=quality, progress=show,
            )  # fmt: skip
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(
                'What is finished is kept: the same command goes on with the video that was interrupted.'
            ) from error
    if report.unreadable and not (report.sources or report.unchanged):
        raise ValueError(str(report))
    print(report)
