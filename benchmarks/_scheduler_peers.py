"""The deck and four task frameworks, one of them set up in two ways, do the same work: 2 worker processes, no-op tasks, a producer.

Every worker reports what it did over one Unix datagram socket, which costs all of them the same. As a
module this is also what the workers of each peer run.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import httptools

TASKS, PROBES, WORKERS, BATCH = 2_000, 500, 2, 64
LONGEST_S = 240.0
COUNTER = "QUARTERDECK_BENCH_COUNTER"
ADDRESS = "QUARTERDECK_BENCH_ADDRESS"
_sender: list[socket.socket] = []


def report(sent: float) -> None:
    """Tell the counter that a task sent at ``sent`` has begun here."""
    if not _sender:
        _sender.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    _sender[0].sendto(repr(time.monotonic() - sent).encode(), os.environ[COUNTER])


class Counter:
    """Where all tasks are counted."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o777)
        self._socket.settimeout(LONGEST_S)

    def wait(self, tasks: int) -> list[float]:
        """Return after so many tasks how many seconds each took to reach its worker."""
        return [float(self._socket.recv(64)) for _ in range(tasks)]


def measured(counter: Counter, submit: Callable[[int], None]) -> tuple[float, list[float]]:
    """Return tasks per second, and the seconds to dispatch single tasks to idle workers."""
    submit(10)
    counter.wait(10)
    began = time.monotonic()
    submit(TASKS)
    counter.wait(TASKS)
    rate = TASKS / (time.monotonic() - began)
    time.sleep(2.0)
    probes = []
    for _ in range(PROBES):
        submit(1)
        probes += counter.wait(1)
        time.sleep(0.02)
    return rate, probes


@contextmanager
def process(*arguments: str, user: str | None = None, **environment: str) -> Iterator[None]:
    """Run a process until the end of the block."""
    running = subprocess.Popen(
        arguments,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user,
        group="nogroup" if user else None,
        extra_groups=[] if user else None,
    )
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reachable(port: int) -> None:
    """Return once somebody listens on ``port``."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on {port}")


def worker(role: str) -> tuple[str, ...]:
    """Return the command of one worker of ``role``."""
    return (sys.executable, "-m", "benchmarks._scheduler_peers", role)


class Line:
    """One kept-alive connection to a deck, as lean as the peers' own: each request in one packet."""

    def __init__(self, address: str, key: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f" HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._whole = False

    def on_body(self, body: bytes) -> None:
        """Hear a part of the answer."""
        self._body += body

    def on_message_complete(self) -> None:
        """Hear that the answer is whole."""
        self._whole = True

    def post(self, path: str, body: object) -> dict[str, object]:
        """Post and return the answer; a refusal ends the measurement."""
        sent = json.dumps(body)
        self._body, self._whole = b"", False
        self._socket.sendall(f"POST /api/v1{path}{self._head}{len(sent)}\r\n\r\n{sent}".encode())
        while not self._whole:
            received = self._socket.recv(65_536)
            if not received:
                raise RuntimeError(f"{path}: the deck closed the connection")
            self._parser.feed_data(received)
        status = self._parser.get_status_code()
        if status >= 300:
            raise RuntimeError(f"{path}: {status} {self._body[:300]!r}")
        return json.loads(self._body)


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """Run a deck, every step on disk before its answer; yield its address, key and process."""
    config = folder / "deck.toml"
    config.write_text(
        "[run]\nwarm_up_bars = 0\n[server]\nrequests_per_minute = 1000000\n"
        "[agents]\nmax_open_tasks = 100000\nmax_open_tasks_per_owner = 100000\n"
    )
    options = ("--agents", "none", "--port", "0", "--speed", "0.01")
    where = ("--config", str(config), "--data-dir", str(folder / "deck"))
    with process(sys.executable, "-m", "quarterdeck", "serve", *where, *options):
        yield _facts(folder / "deck" / "deck.json")


@contextmanager
def deck(folder: Path) -> Iterator[Callable[[int], None]]:
    """Run a deck and its agents; yield how to submit."""
    with ExitStack() as stack:
        facts = stack.enter_context(served(folder))
        operator = Line(facts["address"], facts["key"])
        for number in range(WORKERS):
            asked = {"name": f"worker-{number}", "capabilities": ["noop"], "slots": 100}
            key = str(operator.post("/agents", asked)["key"])
            place = f"{facts['address']} {key}"
            stack.enter_context(process(*worker("deck"), **{ADDRESS: place}))
        task = {"type": "research", "title": "nothing", "capability": "noop"}
        batches = iter(range(10**9))

        def submit(count: int) -> None:
            for start in range(0, count, 200):
                many = min(200, count - start)
                tasks = [{**task, "input": {"sent": time.monotonic()}}] * many
                key = f"batch-{next(batches)}"
                operator.post("/tasks/batch", {"idempotency_key": key, "tasks": tasks})

        yield submit


def _facts(path: Path) -> dict[str, str]:
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()):
            facts = json.loads(text)
            address = facts["url"].removeprefix("http://")
            asked = http.client.HTTPConnection(address, timeout=30)
            with suppress(OSError):
                asked.request("GET", "/readyz")
                if asked.getresponse().status == 200:
                    return {"address": address, "key": facts["key"], "pid": str(facts["pid"])}
        time.sleep(0.2)
    raise TimeoutError("the deck did not open")


def deck_worker() -> None:
    address, _, key = os.environ[ADDRESS].partition(" ")
    line = Line(address, key)
    while True:
        answer = line.post("/tasks/claim", {"wait_ms": 20_000, "most": BATCH})
        claims = [answer["claim"], *answer["more"]] if answer["claim"] else []  # type: ignore[misc]
        for claim in claims:
            report(claim["input"]["sent"])  # type: ignore[index]
        if claims:
            done = [{"task_id": c["task_id"], "lease_token": c["lease_token"]} for c in claims]  # type: ignore[index]
            line.post("/tasks/complete/batch", {"reports": done})


def celery_app() -> object:
    from celery import Celery

    app = Celery("peers", broker=os.environ[ADDRESS])
    app.conf.update(
        task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=BATCH,
        broker_connection_retry_on_startup=True, worker_disable_rate_limits=True,
    )  # fmt: skip
    app.task(name="noop")(report)
    return app


@contextmanager
def celery(folder: Path, *, synced: str = "everysec") -> Iterator[Callable[[int], None]]:
    """Celery on Redis, its append-only file synced every second or ``always``; acknowledged late."""
    port = free_port()
    server = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if server is None:
        raise FileNotFoundError(
            "redis-server: install Debian's package, or name it in REDIS_SERVER"
        )
    os.environ[ADDRESS] = f"redis://127.0.0.1:{port}/0"
    with ExitStack() as stack:
        stack.enter_context(
            process(
                server,
                "--port",
                str(port),
                "--dir",
                str(folder),
                "--appendonly",
                "yes",
                "--appendfsync",
                synced,
                "--save",
                "",
            )
        )
        reachable(port)
        stack.enter_context(
            process(
                sys.executable,
                "-m",
                "celery",
                "-A",
                "benchmarks._celery_app",
                "worker",
                "-c",
                str(WORKERS),
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                "-O",
                "fair",
            )
        )
        app = celery_app()

        def submit(count: int) -> None:
            with app.producer_pool.acquire(block=True) as producer:  # type: ignore[attr-defined]
                for _ in range(count):
                    app.send_task("noop", (time.monotonic(),), producer=producer)  # type: ignore[attr-defined]

        yield submit


@contextmanager
def dask(folder: Path) -> Iterator[Callable[[int], None]]:
    """dask.distributed, in memory."""
    from distributed import Client, LocalCluster, fire_and_forget

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None,
            local_directory=str(folder),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip

        def submit(count: int) -> None:
            fire_and_forget(
                client.map(report, [time.monotonic()] * count, pure=False, batch_size=1_000)
            )

        yield submit


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a fresh PostgreSQL with everything synced; yield its address."""
    found = shutil.which("postgres")
    if found is None:
        raise FileNotFoundError("postgres: install Debian's package")
    programs, port = Path(found).resolve().parent, free_port()
    data, user = folder / "data", "nobody" if os.geteuid() == 0 else None
    data.mkdir()
    folder.chmod(0o755)
    if user is not None:
        shutil.chown(data, user)
    subprocess.run(
        [programs / "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", data],
        check=True, capture_output=True, user=user, extra_groups=[] if user else None, cwd=folder,
    )  # fmt: skip
    with process(
        str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data),
        "-c", "fsync=on", "-c", "max_connections=200", user=user,
    ):  # fmt: skip
        reachable(port)
        time.sleep(1.0)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def procrastinate_app() -> object:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ[ADDRESS]))
    app.task(name="noop", queue="q")(report)
    return app


@contextmanager
def procrastinate(folder: Path) -> Iterator[Callable[[int], None]]:
    """Procrastinate on PostgreSQL, synced, woken by LISTEN, ten jobs at a time in each worker."""
    from procrastinate import App, SyncPsycopgConnector

    with ExitStack() as stack:
        os.environ[ADDRESS] = stack.enter_context(postgres(folder))
        app = App(connector=SyncPsycopgConnector(conninfo=os.environ[ADDRESS]))
        stack.enter_context(app.open())
        app.schema_manager.apply_schema()
        noop = app.task(name="noop", queue="q")(report)
        for _ in range(WORKERS):
            stack.enter_context(process(*worker("procrastinate")))

        def submit(count: int) -> None:
            if count == 1:
                noop.defer(sent=time.monotonic())
            else:
                noop.batch_defer(*[{"sent": time.monotonic()} for _ in range(count)])

        yield submit


def procrastinate_worker() -> None:
    import asyncio

    async def run() -> None:
        app = procrastinate_app()
        async with app.open_async():  # type: ignore[attr-defined]
            await app.run_worker_async(concurrency=10, queues=["q"])  # type: ignore[attr-defined]

    asyncio.run(run())


@contextmanager
def dbos(folder: Path) -> Iterator[Callable[[int], None]]:
    """DBOS on PostgreSQL, synced, polling every 10 ms."""
    with ExitStack() as stack:
        os.environ[ADDRESS] = stack.enter_context(postgres(folder))
        for _ in range(WORKERS):
            stack.enter_context(process(*worker("dbos")))
            # The first makes the tables; two at once would hinder each other.
            _wait_for_table("dbos.workflow_status")
        from dbos import DBOSClient

        client = DBOSClient(system_database_url=os.environ[ADDRESS])
        stack.callback(client.destroy)

        def submit(count: int) -> None:
            for _ in range(count):
                options = {"queue_name": "q", "workflow_name": "noop"}
                client.enqueue(options, time.monotonic())  # type: ignore[arg-type]

        yield submit


def _wait_for_table(name: str) -> None:
    import psycopg

    until = time.monotonic() + LONGEST_S
    with psycopg.connect(os.environ[ADDRESS], autocommit=True) as connection:
        while time.monotonic() < until:
            found = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
            if found is not None and found[0] is not None:
                time.sleep(2.0)
                return
            time.sleep(0.2)
    raise TimeoutError(f"there is no table {name}")


def dbos_worker() -> None:
    from dbos import DBOS, DBOSConfig

    DBOS(
        config=DBOSConfig(
            name="peers", system_database_url=os.environ[ADDRESS], run_admin_server=False
        )
    )
    DBOS.workflow(name="noop")(report)
    DBOS.launch()
    DBOS.register_queue("q", worker_concurrency=50, polling_interval_sec=0.01)
    while True:
        time.sleep(60)


SYNCED = ("celery_synced", "procrastinate", "dbos")
"""Those that have a task on disk before a worker gets it, as the deck has."""
PEERS = {
    "celery": celery,
    "celery_synced": partial(celery, synced="always"),
    "dask": dask,
    "procrastinate": procrastinate,
    "dbos": dbos,
}


def trial(name: str) -> tuple[float, list[float]]:
    """Return tasks per second and dispatch seconds of the deck or one of its peers."""
    with tempfile.TemporaryDirectory(prefix="qd-peers-") as folder:
        counter = Counter(Path(folder) / "counter")
        Path(folder).chmod(0o755)
        os.environ[COUNTER] = str(Path(folder) / "counter")
        own = Path(folder) / name
        own.mkdir()
        with {"deck": deck, **PEERS}[name](own) as submit:
            return measured(counter, submit)


if __name__ == "__main__":
    {"deck": deck_worker, "procrastinate": procrastinate_worker, "dbos": dbos_worker}[sys.argv[1]]()
