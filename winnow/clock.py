"""Spans of time as people read them. Imports nothing."""

from __future__ import annotations


def text(seconds: float) -> str:
    """`0:07`, `12:31`, `3:04:05`, `2 days`."""
    whole = max(int(seconds), 0)
    if whole >= 48 * 3600:
        return f"{whole // 86400} days"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
