"""Find the folder of a base: the embedded one, a local one, or the hub's copy, which is downloaded once."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.errors import ModelError
from cadrecode.model.weights import weight_files
from cadrecode.shipped import EMBEDDED, EMBEDDED_FOLDER

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

MODEL_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
PUSHED = ["adapter_*", "README.md", "tokenizer*", "special_tokens_map.json"]  # of a run folder
HUB_SECONDS = 10.0  # one attempt to reach the hub; its own client tries for half a minute

OnBytes = Callable[[int, int], None]  # called with (bytes received, bytes in all); both grow as the hub names files


def find_folder(name: str, on_bytes: OnBytes | None = None, *, config_alone: bool = False) -> Path:
    """The folder of a base: the embedded one, a local one, or the hub's copy in the cache (downloaded if need be).

    Args:
        on_bytes: called while a download goes on, from the threads that download.
        config_alone: config.json is enough, which is there at once.
    Raises: ModelError: there is no such base, or the hub cannot be reached.
    """
    if name == EMBEDDED:
        if not (EMBEDDED_FOLDER / "config.json").is_file():
            raise ModelError(
                "The embedded base model is not in this checkout (assets/base). Fetch it with the repository, or make "
                "it: python -m cadrecode pretrain --config configs/pretrain_base.yaml"
            )
        return EMBEDDED_FOLDER
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError("{name} is a file; a model is a folder with config.json and .safetensors.", name=name)
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise ModelError("There is no folder {name}, and it is not a name on the hub either (owner/model).", name=name)
    return hub_folder(name, ["config.json"] if config_alone else MODEL_FILES, on_bytes)


def hub_folder(name: str, patterns: list[str], on_bytes: OnBytes | None = None, needed: str = "config.json") -> Path:
    """The cached copy of a hub model, or a fresh download.

    Args:
        needed: a cached copy without this file is not used.
    Raises: ModelError: there is no such model, it is gated, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        if (folder / needed).is_file() and ("*.safetensors" not in patterns or _has_all_weights(folder)):
            return folder
    except LocalEntryNotFoundError:
        log.info("%s is not in the cache.", name)
    try:
        HfApi().model_info(name, timeout=HUB_SECONDS)  # a single attempt: without a network, this fails at once
        bars = None if on_bytes is None else bars_for(on_bytes)
        return Path(snapshot_download(name, allow_patterns=patterns, tqdm_class=bars))
    except GatedRepoError as error:
        raise ModelError(
            "{name} is gated: accept its terms on huggingface.co and log in with `hf auth login`.", name=name
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError("There is no model {name} on the hub, and no folder of that name here.", name=name) from error
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise _unreachable(name, error) from error
    except Exception as error:  # the errors of the hub client's transport have no base class in common with OSError
        if "Connect" not in type(error).__name__ and "Timeout" not in type(error).__name__:
            raise
        raise _unreachable(name, error) from error


def _unreachable(name: str, error: Exception) -> ModelError:
    return ModelError(
        "{name} is neither a folder here nor in the Hugging Face cache, and the hub cannot be "
        "reached ({error}). Connect once to download it, give the path of a folder that holds it, or "
        "use the base that ships ({embedded}).",
        name=name,
        error=type(error).__name__,
        embedded=EMBEDDED,
    )


def require_login(repository: str) -> None:
    """Check before a training that its adapter can be pushed. Raises: ModelError: it cannot, and what to do."""
    from huggingface_hub import HfApi

    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", repository):
        raise ModelError("hub_model_id is {name!r}; a repository of the hub is owner/name.", name=repository)
    try:
        HfApi().whoami()
    except Exception as error:  # no login, no network, a refused token: each has a class of its own
        raise ModelError(
            "The adapter could not be pushed to {name} ({error}): log in with `hf auth login`, or leave hub_model_id "
            "empty.",
            name=repository,
            error=type(error).__name__,
        ) from error


def push(folder: Path, repository: str) -> str:
    """Push an adapter's files to a private repository, which is made if need be. Returns: where they are.

    Raises: ModelError: the hub refused them.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().create_repo(repository, private=True, exist_ok=True)
        HfApi().upload_folder(repo_id=repository, folder_path=folder, allow_patterns=PUSHED)
    except (OSError, HfHubHTTPError) as error:
        raise ModelError(
            "{folder} is whole, but could not be pushed to {name}: {error}", folder=folder, name=repository, error=error
        ) from error
    log.info("Pushed to https://huggingface.co/%s (private)", repository)
    return f"https://huggingface.co/{repository}"


def _has_all_weights(folder: Path) -> bool:
    """Whether a cached copy can be used without the network: a cache may hold some of a model's files."""
    files = weight_files(folder)
    return bool(files) and all(path.is_file() for path in files)


def bars_for(on_bytes: OnBytes) -> type[tqdm]:
    """The class of progress bars that `snapshot_download` takes as tqdm_class; an exception of `on_bytes` ends it.

    It makes a bar that counts files, and two that count bytes, received and written. Which of these two moves depends
    on how the files are stored, and the total of the received bytes is a guess that is never too low.
    """
    from tqdm import tqdm

    counts: dict[int, tuple[int, int]] = {}  # done and total of each bar of bytes

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            kwargs.pop("name", None)  # an argument of the hub's own class
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            displayed = super().update(n)
            if self.unit == "B":
                counts[id(self)] = int(self.n), int(self.total or 0)
                done = max(done for done, _ in counts.values())
                total = min((total for _, total in counts.values() if total), default=0)
                on_bytes(min(done, total), total)
            return displayed

        def display(self, *args: Any, **kwargs: Any) -> None:
            """Nothing: a log file is no terminal."""

    return Bar
