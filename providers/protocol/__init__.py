"""The standards, a module an endpoint or mechanism: `build_*` makes a request unsent, `process_*` judges.

Nothing here knows a provider's name; how one deviates comes in its definition and is handled in `quirks`.
"""
