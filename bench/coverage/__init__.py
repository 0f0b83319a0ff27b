"""The frozen list of models that the tracer has to trace, and the command that traces them: python -m bench.coverage.

`torchvision.txt`, `timm.txt` and `transformers.toml` name models that people use, `oddities/` holds small modules that
each break some tracer. `checking` says what counts as traced.
"""
