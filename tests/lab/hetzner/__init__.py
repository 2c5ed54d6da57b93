"""The parts of tests/lab/hetzner_api.py, which says how to use it."""
