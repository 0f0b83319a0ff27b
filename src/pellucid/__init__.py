"""See inside a deep-learning model."""

__version__ = "0.1.0"
