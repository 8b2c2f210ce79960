"""Pictures: any height, width, 1 to 4 channels, 8 or 16 bit."""

from .modality import Images

__all__ = ["Images"]
