"""What the company knows: documents, their passages, and the search over them."""

__all__: list[str] = []
