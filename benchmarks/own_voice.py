"""Writes a person's own hundred examples in another voice: the shipped conversations with another opening and closing.

Run: .venv/bin/python -m benchmarks.own_voice --out own.jsonl [--rows 100]
Then: frontdesk tone train --data own.jsonl, promote, eval golden --voice benchmarks/own_voice.yaml, rollback.
"""

import argparse
import json
from pathlib import Path

__all__ = ["main"]

TRANSCRIPTS = Path(__file__).parents[1] / "examples" / "transcripts.jsonl"
OPENING = "Noted, and thank you for writing in."
CLOSING = "With best wishes from the whole team."


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100)
    options = parser.parse_args()
    rows = [json.loads(line) for line in TRANSCRIPTS.read_text(encoding="utf-8").splitlines()[: options.rows]]
    for row in rows:
        for turn in row["messages"]:
            if turn["role"] == "assistant":
                _, *body, _ = turn["content"].split("\n\n")
                turn["content"] = "\n\n".join([OPENING, *body, CLOSING])
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
