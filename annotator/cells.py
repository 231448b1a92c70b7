"""Cells of CSV files that spreadsheets would run as formulas: an apostrophe keeps them from it."""

RISKY = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: str) -> str:
    """`cell` with an apostrophe before it where a spreadsheet would take it for a formula.

    One that begins with apostrophes and then such a sign gets another one, so that a reader can take one off again.
    """
    return "'" + cell if cell.lstrip("'").startswith(RISKY) else cell


def unguarded(cell: str) -> str:
    """A cell as it was before `guarded`.

    >>> unguarded("'=1+1"), unguarded("'twas"), unguarded("''-x")
    ('=1+1', "'twas", "'-x")
    """
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(RISKY) else cell
