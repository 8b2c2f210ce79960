"""Tables: rows of numbers, categories, dates and what else stands in columns."""

from .modality import Tables

__all__ = ["Tables"]
