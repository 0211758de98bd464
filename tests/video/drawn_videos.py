"""Drawn streets with walkers, and videos of them."""

import cv2
import numpy as np

SIZE = (320, 240)  # width, height


def street(width=SIZE[0], height=SIZE[1]):
    """A bright, empty street."""
    image = np.full((height, width, 3), (205, 200, 195), np.uint8)
    image[height * 2 // 3 :] = (165, 168, 170)
    return image


def draw_walker(image, x, top, height, color=(60, 40, 35)):
    """Draw a dark figure with head, shoulders, arms and legs, seen from the front, on which HOG fires.

    ``x`` is the body's axis, ``top`` the crown, ``height`` from crown to soles, all in pixels.
    """

    def place(across, down):
        return round((x + across * height) * 16), round((top + down * height) * 16)

    def limb(points, width):
        corners = np.array([place(*point) for point in points], np.int32)
        cv2.polylines(image, [corners], False, color, round(width * height), cv2.LINE_AA, 4)

    def filled(points):
        cv2.fillPoly(image, [np.array([place(*point) for point in points], np.int32)], color, cv2.LINE_AA, 4)

    cv2.ellipse(image, place(0, 0.075), (round(0.052 * height * 16), round(0.072 * height * 16)), 0, 0, 360, color, -1,
                cv2.LINE_AA, 4)  # fmt: skip
    limb([(0, 0.1), (0, 0.2)], 0.05)
    filled([(-0.115, 0.185), (0.115, 0.185), (0.095, 0.5), (-0.095, 0.5)])
    for side in (-1, 1):
        limb([(side * 0.115, 0.205), (side * 0.145, 0.36), (side * 0.14, 0.5)], 0.06)
        limb([(side * 0.05, 0.48), (side * 0.06, 0.72), (side * 0.07, 0.97)], 0.085)
    return image
