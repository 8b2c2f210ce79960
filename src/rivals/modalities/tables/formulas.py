"""Text that a spreadsheet would calculate or run when it opens a CSV file; an apostrophe keeps it from that."""

FORMULA = r"'*(?:[=@\t\r]|[+-].*[(|!])"
"""A regular expression: "=cmd", "@SUM(1)", "-2+cmd|x"; but not "-5" and "+49 170 1234567"."""
