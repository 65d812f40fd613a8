"""The one exception that means "the user can put this right"."""


class UserError(Exception):
    """Wrong input. The message is one paragraph: the key or file, its value, and what would be valid."""
