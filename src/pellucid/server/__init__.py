"""A record over HTTP: `serve` in the foreground, `start` in a thread, `build_app` for any ASGI server; no torch."""

from pellucid.server.application import build_app
from pellucid.server.live import LiveModel
from pellucid.server.serving import Running, serve, show, start

__all__ = ["LiveModel", "Running", "build_app", "serve", "show", "start"]
