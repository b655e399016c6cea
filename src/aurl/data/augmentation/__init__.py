"""Augmentations: each epoch hears the same pieces otherwise."""

from aurl.data.augmentation.base import AUGMENTATIONS, Augmentation, AugmentationConfig, Augmenter, augmented
from aurl.data.augmentation.sound import DropoutConfig, InstrumentsConfig, TransposeConfig, VelocityConfig
from aurl.data.augmentation.timing import HumaniseConfig, StretchConfig, SwingConfig

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "AugmentationConfig",
    "Augmenter",
    "DropoutConfig",
    "HumaniseConfig",
    "InstrumentsConfig",
    "StretchConfig",
    "SwingConfig",
    "TransposeConfig",
    "VelocityConfig",
    "augmented",
]
