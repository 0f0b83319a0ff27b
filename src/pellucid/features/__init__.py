"""What each unit looks for: from examples and from drawn stimuli.

Pure functions on images and responses; what runs a model does so through a `capture.Session`.
"""

from __future__ import annotations
