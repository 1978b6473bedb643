"""The example company on the page: its documents for an empty home, and questions to click."""

from collections.abc import Callable

from bot.service import EXAMPLES, Service

__all__ = ["QUESTIONS", "fill_empty_home"]

QUESTIONS = (
    "How long do I have to return a kettle?",
    "How much is express shipping and how fast is it?",
    "How do I descale my kettle?",
    "What are your opening hours on Saturday?",
)


def fill_empty_home(service: Service, say: Callable[[str], None]) -> None:
    """Add the example documents where there are none yet.

    Raises:
        DocumentNotFound: this installation came without the examples.
    """
    if service.documents.documents():
        return
    results = service.documents.add_path(
        EXAMPLES / "documents",
        lambda done, total, name: say(f"Example documents: {done} of {total} ({name})"),
    )
    for result in results:
        if result.status == "failed":
            say(result.message)
