"""Who answers: combines what the company knows with how it speaks, and checks the result."""

__all__: list[str] = []
