"""How the bot speaks: the base model, its LoRA adapters, and how they are trained and released."""

__all__: list[str] = []
