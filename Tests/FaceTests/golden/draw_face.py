"""Draws the test picture: a face from ellipses and shading, so that no photograph need be committed."""

import numpy as np


def blob(shape, cx, cy, rx, ry, softness=0.08, angle=0.0):
    """1 inside an ellipse, 0 outside, with a soft edge."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    dx, dy = x - cx, y - cy
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / rx
    v = (-dx * np.sin(angle) + dy * np.cos(angle)) / ry
    distance = np.sqrt(u * u + v * v)
    return np.clip((1 + softness - distance) / (2 * softness), 0, 1)


def draw_face(width, height, cx, cy, size):
    """RGB uint8; `size` is the head's half height in pixels."""
    picture = np.zeros((height, width, 3))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture[:] = np.stack([90 + 60 * y / height, 110 + 50 * x / width, 130 + 30 * y / height], axis=2)

    def paint(mask, colour, strength=1.0):
        nonlocal picture
        picture = picture * (1 - strength * mask[..., None]) + strength * mask[..., None] * np.array(colour, dtype=float)

    shape = (height, width)
    s = size
    paint(blob(shape, cx, cy + 1.9 * s, 1.5 * s, 0.9 * s), (60, 70, 110))  # shoulders
    paint(blob(shape, cx, cy + 0.95 * s, 0.36 * s, 0.6 * s), (190, 140, 115))  # neck
    paint(blob(shape, cx, cy - 0.18 * s, 0.86 * s, 1.02 * s), (55, 38, 28))  # hair
    paint(blob(shape, cx, cy, 0.72 * s, 0.95 * s, 0.05), (222, 172, 145))  # head
    paint(blob(shape, cx + 0.35 * s, cy + 0.1 * s, 0.5 * s, 0.9 * s, 0.6), (170, 120, 98), 0.35)  # shade on one side
    paint(blob(shape, cx, cy - 0.85 * s, 0.62 * s, 0.30 * s, 0.3), (55, 38, 28))  # fringe
    for side in (-1, 1):
        ex, ey = cx + side * 0.30 * s, cy - 0.10 * s
        paint(blob(shape, ex, ey, 0.20 * s, 0.15 * s, 0.5), (150, 100, 82), 0.6)  # socket
        paint(blob(shape, ex, ey, 0.13 * s, 0.065 * s, 0.15), (240, 238, 232))  # white
        paint(blob(shape, ex, ey, 0.062 * s, 0.064 * s, 0.2), (60, 42, 30))  # iris
        paint(blob(shape, ex, ey - 0.055 * s, 0.15 * s, 0.022 * s, 0.4), (50, 32, 24))  # lid
        paint(blob(shape, ex, ey - 0.20 * s, 0.19 * s, 0.035 * s, 0.4, -side * 0.1), (60, 40, 28), 0.9)  # brow
        paint(blob(shape, cx + side * 0.09 * s, cy + 0.32 * s, 0.045 * s, 0.03 * s, 0.5), (95, 55, 45), 0.8)  # nostril
        paint(blob(shape, cx + side * 0.40 * s, cy + 0.28 * s, 0.20 * s, 0.14 * s, 0.9), (225, 140, 125), 0.35)  # cheek
    paint(blob(shape, cx, cy + 0.10 * s, 0.07 * s, 0.26 * s, 0.8), (238, 195, 170), 0.5)  # bridge
    paint(blob(shape, cx, cy + 0.28 * s, 0.13 * s, 0.08 * s, 0.8), (240, 195, 170), 0.4)  # tip
    paint(blob(shape, cx, cy + 0.53 * s, 0.27 * s, 0.085 * s, 0.25), (176, 88, 84))  # lips
    paint(blob(shape, cx, cy + 0.53 * s, 0.24 * s, 0.018 * s, 0.5), (95, 40, 40))  # between them
    paint(blob(shape, cx, cy + 0.68 * s, 0.2 * s, 0.04 * s, 0.9), (165, 115, 95), 0.5)  # under the lip
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
