"""What can go wrong with models and training, as one tree; every message is a sentence a person can act on.

ToneTuningError
├── BaseModelError    the base model is missing, damaged or cannot be loaded
├── AdapterError      an adapter is missing, damaged, or made for another base or prompt
├── DataSetError      training data cannot be used; names all faults with their rows
└── TrainingError     a training run cannot start or go on
"""

__all__ = ["AdapterError", "BaseModelError", "DataSetError", "ToneTuningError", "TrainingError", "reason"]


class ToneTuningError(Exception):
    """Root of everything tone_tuning raises on purpose."""


class BaseModelError(ToneTuningError):
    """The base model is missing, damaged or cannot be loaded."""


class AdapterError(ToneTuningError):
    """An adapter is missing, damaged, or made for another base or prompt."""


class DataSetError(ToneTuningError):
    """Training data cannot be used."""


class TrainingError(ToneTuningError):
    """A training run cannot start or go on."""


def reason(error: Exception) -> str:
    """What a foreign error says, short enough for a sentence of ours."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split())[:160] or type(error).__name__
