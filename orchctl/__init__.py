"""orchctl: one service spec, many orchestrators."""

__version__ = "0.1.0"
