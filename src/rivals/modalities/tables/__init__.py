"""Tables: rows of numbers, categories, dates and what else stands in columns."""
