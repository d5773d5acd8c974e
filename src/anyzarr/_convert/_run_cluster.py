"""Doing a conversion on a Dask cluster: the same tasks, on other hosts."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from anyzarr._convert._job import Job, OpenJob, Task
from anyzarr._convert._run import Done
from anyzarr._convert._run_apart import do_task, run_tasks
from anyzarr._optional import require
from anyzarr._progress import Tracker
from anyzarr.errors import AnyzarrError, StoreError, UnsupportedError

__all__ = ["client_of", "run_on_cluster"]

_JOBQUEUES = {
    "htcondor": "HTCondorCluster", "lsf": "LSFCluster", "moab": "MoabCluster",
    "oar": "OARCluster", "pbs": "PBSCluster", "sge": "SGECluster", "slurm": "SLURMCluster",
}  # fmt: skip


@contextlib.contextmanager
def client_of(cluster: Any, workers: int | None) -> Iterator[Any]:
    """Yield a ``distributed.Client``.

    Parameters
    ----------
    cluster
        A client (which stays open), the address of a scheduler (``tcp://host:8786``), a cluster
        object, or the name of a batch system (``slurm``, …): then jobs are asked for as
        dask-jobqueue is configured.
    workers
        How many jobs to ask a batch system for; None: one.

    Raises
    ------
    UnsupportedError
        It is none of these.
    StoreError
        There is no scheduler at the address.
    MissingDependencyError
        distributed or dask-jobqueue is not installed.
    """
    distributed = require("distributed", extra="cluster", purpose="Converting on a cluster")
    if isinstance(cluster, distributed.Client):
        yield cluster
        return
    with contextlib.ExitStack() as stack:
        if isinstance(cluster, str) and cluster.lower() in _JOBQUEUES:
            with _interrupts_kept():
                jobqueue = require(
                    "dask_jobqueue", extra="cluster", purpose=f"Asking {cluster} for workers"
                )
            cluster = stack.enter_context(getattr(jobqueue, _JOBQUEUES[cluster.lower()])())
            cluster.scale(jobs=workers or 1)
        elif isinstance(cluster, str) and "://" not in cluster:
            raise UnsupportedError(
                f"cluster={cluster!r} is neither the address of a scheduler (tcp://host:8786) nor "
                f"one of {', '.join(_JOBQUEUES)}"
            )
        try:
            client = distributed.Client(cluster)
        except (OSError, ValueError) as error:
            raise StoreError(
                f"there is no Dask scheduler at {cluster!r}: {error}; check the address, and that "
                "it runs",
                kind="no_scheduler",
            ) from error
        yield stack.enter_context(client)


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Keep what Ctrl-C does: dask-jobqueue, when it is imported, makes it end the process."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


def _itself(job: Job) -> Job:
    return job


class _Cluster:
    def __init__(self, client: Any, job: Job, wait: Callable[..., Any]) -> None:
        self._client = client
        # A task, which waits for workers as long as there are none, and is done again where those
        # that know its result are lost. What is scattered does neither.
        self._job = client.submit(_itself, job, pure=False)
        self._wait = wait
        self._running: set[Any] = set()

    def submit(self, task: Task) -> Any:
        future = self._client.submit(do_task, self._job, task, None, pure=False, retries=2)
        self._running.add(future)
        return future

    def finished(self) -> Sequence[Any]:
        ready, self._running = self._wait(self._running, return_when="FIRST_COMPLETED")
        for future in ready:
            future.result()
        return list(ready)

    def cancel(self) -> None:
        self._client.cancel(list(self._running))


def run_on_cluster(
    opened: OpenJob,
    client: Any,
    done: frozenset[Task],
    on_task: Done,
    on_image: Callable[[int], None],
    tracker: Tracker,
) -> None:
    """Do all images on a cluster; a task whose worker is lost is done by another.

    Raises
    ------
    StoreError
        A task's workers were lost again and again.
    """
    distributed = require("distributed", extra="cluster", purpose="Converting on a cluster")
    hands = _Cluster(client, opened.job, distributed.wait)
    try:
        run_tasks(opened, hands, done, on_task, on_image, tracker)
    except AnyzarrError:
        raise
    except (distributed.scheduler.KilledWorker, distributed.CancelledError) as error:
        raise StoreError(
            f"the cluster lost its workers while they converted: {error}; look into their logs "
            "(memory?), then go on",
            kind="worker_lost",
        ) from error
    finally:
        hands.cancel()
