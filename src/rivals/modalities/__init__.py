"""Kinds of data, by name; imported when used. Any other "module:Name" a user writes works the same way."""

MODALITIES = {"images": "rivals.modalities.images:Images"}
