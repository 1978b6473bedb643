"""The recipe of the reading adapter: practice data, training, evaluation, merging and export, one command each."""

__all__: list[str] = []
