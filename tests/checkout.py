"""A checkout of rbc in a folder of its own, and commands run in it as a user would."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from closure import ROOT

PATIENCE_S = 900
LEFT_OUT = ("RBC_", "DVC_", "GIT_", "RANK", "WORLD_SIZE", "PYTHONDONTWRITEBYTECODE")


def wait_for(condition: Callable[[], object], patience_s: float = PATIENCE_S, pause_s: float = 0.005) -> None:
    """Return once the condition holds; an AssertionError says that it never did."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(pause_s)


def stages_run(log: str) -> list[str]:
    """Names of the stages that dvc says it ran, in order."""
    return re.findall(r"Running stage '(?:[^':]+:)?(\w+)'", log)


@dataclass(frozen=True)
class Checkout:
    folder: Path
    environment: dict[str, str]

    @classmethod
    def of_working_tree(cls, folder: Path) -> "Checkout":
        """The working tree as it is now, without what git ignores, params/tiny.yaml in params.yaml, nothing run yet."""
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                                text=True, check=True).stdout
        made = re.compile(r"(.*/)?dvc\.lock|metrics/.*|plots/[^.].*|report/.*")
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and not made.fullmatch(name):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes((ROOT / name).read_bytes())
        checkout = cls(folder, _environment(folder.with_name(f"{folder.name}_site")))
        checkout.set(yaml.safe_load((folder / "params/tiny.yaml").read_text()))
        checkout.run("git", "init", "--quiet")
        checkout.commit("the working tree")
        return checkout

    def clone(self, folder: Path, shared_cache: bool = False) -> "Checkout":
        """A git clone; with this one's DVC cache and everything in it checked out, or with an empty cache."""
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        twin = Checkout(folder, self.environment)
        if shared_cache:
            (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {self.folder / '.dvc/cache'}\n")
            twin.dvc("checkout", "--quiet")
        return twin

    @contextmanager
    def running(self, *command: str, log: Path) -> Iterator[subprocess.Popen]:
        """A command that is running, what it says going to a file; killed if it still is in the end."""
        with log.open("w") as file:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=file, stderr=file)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def run(self, *command: str) -> str:
        """What a command says on stdout; an AssertionError with all that it said if it fails."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def dvc(self, *arguments: str) -> str:
        return self.run("dvc", *arguments)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def set(self, overlay: dict) -> None:
        """Change params.yaml."""
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump(_merged(yaml.safe_load(path.read_text()), overlay), sort_keys=False))

    def digests(self, *folders: str) -> dict[str, str]:
        """Hash of every file below the folders by its path."""
        files = sorted(file for folder in folders for file in (self.folder / folder).rglob("*") if file.is_file())
        return {file.relative_to(self.folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _merged(settings: dict, overlay: dict) -> dict:
    return {**settings, **{key: _merged(settings[key], value) if isinstance(value, dict) else value
                           for key, value in overlay.items()}}


def _environment(site: Path) -> dict[str, str]:
    """The caller's, less what steers rbc, DVC and git there; the tests' Python first on PATH, one thread a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "rbc tests"), ("EMAIL", "tests@localhost"))}
    return {**kept, **who, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "OMP_NUM_THREADS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull, "DVC_SITE_CACHE_DIR": str(site)}
