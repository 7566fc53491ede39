"""Which phone numbers may an invented patient have? Only those set aside for fiction (070-174 06 05 to 99)."""

FIRST, LAST = 5, 93  # 94 to 99 are the invented nurses of the trial file
MANY = LAST - FIRST + 1  # different numbers


def fictional_mobile(n: int) -> str:
    """The n-th invented patient's number, as Swedes type it; after MANY of them the numbers come again."""
    return f"070-174 06 {FIRST + n % MANY:02d}"


def fictional_e164(n: int) -> str:
    """The same number as the world dials it."""
    return f"+4670174 06{FIRST + n % MANY:02d}".replace(" ", "")


def is_fictional(e164: str) -> bool:
    return e164.startswith("+467017406") and len(e164) == 12 and 5 <= int(e164[-2:]) <= 99
