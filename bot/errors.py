"""What can go wrong in the bot, as one tree; every message is a sentence a person can act on.

BotError
├── SettingsError      a setting or flag has a value that cannot be used
├── HomeError          the home folder cannot be written, or another process owns it
├── ServerError        the page cannot start (address, port) or a running one does not answer
├── QuestionError      a question or question file cannot be used
├── CallError          a verb was called with arguments that it does not take
└── RetrainError       a retraining run failed or was stopped
"""

__all__ = ["BotError", "CallError", "HomeError", "QuestionError", "RetrainError", "ServerError", "SettingsError"]


class BotError(Exception):
    """Root of everything the bot raises on purpose."""


class SettingsError(BotError):
    """A setting has a value that cannot be used."""


class HomeError(BotError):
    """The home folder cannot be written, or is owned by another process."""


class ServerError(BotError):
    """The page cannot start, or a running one does not answer."""


class QuestionError(BotError):
    """A question or a question file cannot be used."""


class CallError(BotError):
    """A verb was called over the network with arguments that it does not take."""


class RetrainError(BotError):
    """A retraining run failed or was stopped."""
