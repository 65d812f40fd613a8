"""The report: one self-contained page about a folder of results (docs/decisions/0007-report.md)."""
