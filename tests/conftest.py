"""Settings of the whole test run."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

# Tests run in several processes; a thread pool per core in each of them makes everything slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent


def pytest_configure():
    """Say what to do where the adapters cannot be imported from the checkout."""
    if not (ROOT / "boosting_losses" / "adapters").is_dir():
        raise pytest.UsageError(
            "boosting_losses/adapters must be a link to adapters/. A source archive leaves it out, and git writes a text file"
            " in its place where core.symlinks is off. Remove that file, and make the link:\n"
            "  ln -s ../adapters boosting_losses/adapters           (Linux, macOS)\n"
            "  mklink /J boosting_losses\\adapters adapters          (Windows, in cmd.exe)\n"
            "or let git do it, where Windows allows it to:\n"
            "  git config core.symlinks true && git checkout -- boosting_losses/adapters\n"
            "`pip install .` needs no link."
        )


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """Start a server of PostgreSQL; Debian keeps the programs of PostgreSQL out of PATH."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    data, binaries = folder / "data", Path(found).resolve().parent
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    if user:
        for part in (folder, *folder.parents[:3]):
            part.chmod(0o755)
        shutil.chown(folder, user)

    def run(program, *arguments):
        return subprocess.run(
            [binaries / program, *arguments], user=user, check=True, capture_output=True, cwd=folder, timeout=60
        )

    try:
        run("initdb", "-D", data, "-U", "monitor", "-A", "trust", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-c listen_addresses='' -k {folder}", "start")
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield f"postgresql+psycopg://monitor@/postgres?host={folder}"
    with contextlib.suppress(FileNotFoundError):  # the server has ended
        server = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)  # an immediate shutdown; nothing of the data is needed any more


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "monitor.db")
    pytest.importorskip("psycopg", exc_type=ImportError, reason="psycopg finds no libpq")
    url = request.getfixturevalue("postgres")
    sa, log = pytest.importorskip("sqlalchemy"), pytest.importorskip("boosting_losses.monitor._log")
    engine = sa.create_engine(url)
    log._TABLES.drop_all(engine)
    engine.dispose()
    return url
