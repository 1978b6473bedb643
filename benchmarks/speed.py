"""Speed and memory of the running parts: ingest, second start, first sentence, whole answer, peak memory.

Run: .venv/bin/python benchmarks/speed.py [--documents FOLDER] [--questions FILE] [--home DIR]
Each stage runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).parents[1]


def ingest(home: Path, documents: Path) -> dict[str, float]:
    """Chunks per second after model load, over a fresh home."""
    from bot.service import open_service
    from bot.settings import Settings

    service = open_service(Settings(home))
    service.embedder.embed(["warm up"])
    began = time.perf_counter()
    results = service.documents.add_path(documents)
    seconds = time.perf_counter() - began
    chunks = sum(result.embedded for result in results)
    began = time.perf_counter()
    service.documents.add_path(documents)
    again = time.perf_counter() - began
    service.close()
    return {"chunks": chunks, "seconds": seconds, "chunks_per_second": chunks / seconds, "unchanged_again_s": again}


def start(home: Path) -> dict[str, float]:
    """Seconds from opening the home to both models being ready; the imports count."""
    began = time.perf_counter()
    from bot.service import open_service
    from bot.settings import Settings

    service = open_service(Settings(home))
    service.warm_up()
    seconds = time.perf_counter() - began
    service.close()
    return {"seconds_to_ready": seconds}


def answer(home: Path, questions: Path) -> dict[str, float]:
    """Seconds to the first visible sentence, to the model's first token, and to the end of each answer."""
    from bot.golden import read_golden
    from bot.service import open_service
    from bot.settings import Settings

    service = open_service(Settings(home))
    service.warm_up()
    asked = [golden for golden in read_golden(questions) if golden.answerable]
    answers = [service.bot.ask(golden.question, golden.history) for golden in asked]
    wrote = [found for found in answers if found.outcome == "answered"]
    service.close()

    def middle(stage: str) -> tuple[float, float]:
        times = sorted(found.seconds[stage] for found in wrote if stage in found.seconds)
        return statistics.median(times), times[int(0.95 * (len(times) - 1))]

    found = {}
    for stage in ("first_token", "first", "total"):
        found[f"{stage}_p50"], found[f"{stage}_p95"] = middle(stage)
    return {**found, "tokens_p50": statistics.median(a.tokens for a in wrote), "answers": len(wrote)}


def main() -> None:
    """Run all stages, or with --stage one of them in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=Path, default=ROOT / "examples" / "documents")
    parser.add_argument("--questions", type=Path, default=ROOT / "examples" / "golden.jsonl")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--stage", choices=["ingest", "start", "answer"])
    options = parser.parse_args()
    if options.stage:
        run = {
            "ingest": lambda: ingest(options.home, options.documents),
            "start": lambda: start(options.home),
            "answer": lambda: answer(options.home, options.questions),
        }[options.stage]
        found = run()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**found, "peak_MiB": peak}))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        for stage in ("ingest", "start", "start", "answer"):
            command = [sys.executable, __file__, "--stage", stage, "--home", str(home)]
            command += ["--documents", str(options.documents), "--questions", str(options.questions)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
            print(stage, done.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
