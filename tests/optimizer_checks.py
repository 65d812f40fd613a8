"""What the tests of optimisers share: one set of options for plug-ins that do not all have the same."""

from typing import Any

from winnow import options


def fitting(name: str, **option: Any) -> dict[str, Any]:
    """Those of the options that the plug-in `name` has."""
    return {key: value for key, value in option.items() if key in options.parameters("optimizers", name)}
