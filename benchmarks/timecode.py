"""A time painted into a picture: blocks along its top edge, black and white, that a machine reads back."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

TIME_BITS, CHECK_BITS, BLOCK_PX, TICK_S = 32, 8, 6, 1e-4
WIDTH_PX = (TIME_BITS + CHECK_BITS) * BLOCK_PX


def paint_time(image_rgb: Image, at_s: float) -> None:
    """Paints a time, 0.1 ms exact, and a check sum into the top left corner, 240 x 6 px."""
    ticks = int(at_s / TICK_S) % 2**TIME_BITS
    code = ticks | _check(ticks) << TIME_BITS
    bits = code >> np.arange(TIME_BITS + CHECK_BITS) & 1
    image_rgb[:BLOCK_PX, :WIDTH_PX] = np.repeat(bits * 255, BLOCK_PX).astype(np.uint8)[:, None]


def read_time(image_rgb: Image) -> float | None:
    """The painted time in seconds; None where the picture has none or it is damaged."""
    if image_rgb.shape[1] < WIDTH_PX or image_rgb.shape[0] < BLOCK_PX:
        return None
    middle = image_rgb[1 : BLOCK_PX - 1, :WIDTH_PX].reshape(BLOCK_PX - 2, -1, BLOCK_PX, 3)[:, :, 1:-1]
    bits = (middle.mean((0, 2, 3)) > 127).tolist()
    ticks = sum(1 << place for place, bit in enumerate(bits[:TIME_BITS]) if bit)
    check = sum(1 << place for place, bit in enumerate(bits[TIME_BITS:]) if bit)
    return ticks * TICK_S if check == _check(ticks) else None


def _check(ticks: int) -> int:
    """Differs from 0 for an all black and from 255 for an all white row, and with every byte of the time."""
    total = 0xA5
    for byte in ticks.to_bytes(TIME_BITS // 8, "little"):
        total = (total * 31 + byte) & 0xFF
    return total
