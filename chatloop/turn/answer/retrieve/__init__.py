"""Retrieval: the help passages that fit a message, and whether they answer it.

Everything learnt is made with the release (`loop/data/help_index.py`); here are lean readers.
"""

from chatloop.turn.answer.retrieve.search import PARTS, Found, Retriever, load_retriever

__all__ = ["PARTS", "Found", "Retriever", "load_retriever"]
