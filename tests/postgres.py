"""A PostgreSQL of its own for the tests: made in a temporary folder, on a free port, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["PASSWORD", "find_initdb", "serve_postgres"]

PASSWORD = "s3cret/with@marks:%in it"  # everything that has a meaning in an address


def find_initdb():
    """PostgreSQL's own set-up program, wherever the distribution keeps it; None without PostgreSQL."""
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return str(kept[-1]) if kept else shutil.which("initdb")


@contextmanager
def serve_postgres():
    """A running cluster; yields its port on 127.0.0.1. The user "postgres" has `PASSWORD`."""
    initdb = find_initdb()
    if initdb is None:
        pytest.skip("PostgreSQL is not installed: `apt-get install postgresql` brings what these tests need.")
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-"))
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        data, port = folder / "data", _free_port()
        _run(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={folder}/password", "--no-sync",
             "-E", "UTF8", "--locale=C")  # fmt: skip
        control = str(Path(initdb).resolve().with_name("pg_ctl"))
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run(control, "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield port
        finally:
            _run(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command):
    as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*as_owner, *map(str, command)], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]
