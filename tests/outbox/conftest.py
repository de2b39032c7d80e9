"""A real mail server and a real webhook as channels, and a migrated database whose outbox is empty."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from pydantic import PostgresDsn, SecretStr
from sqlalchemy import text

from ecg_core.pipeline.versions import prepare_database
from ecg_core.settings import Settings
from ecg_core.stack.files import unused_port
from ecg_core.store.database import owner_engine, store_engine

sys.path.append(str(Path(__file__).parent))  # `outbox_time`, for the tests of this folder


class Webhook:
    """A web server that keeps what is posted to it, and answers as told."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.status == 200:
                    outer.got.append(body | {"key": self.headers["Idempotency-Key"]})
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/hook"


class Mailbox:
    """A mail server that asks for a password and keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.controller = Controller(
            self, "127.0.0.1", 0, authenticator=self._check, auth_required=True, auth_require_tls=False
        )

    async def handle_DATA(self, server: SMTP, session: object, envelope: object) -> str:
        self.got.append(envelope.content.decode())
        return "250 taken"

    def _check(
        self, server: SMTP, session: object, envelope: object, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == b"s3cret/word", handled=False)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    yield made
    made.server.shutdown()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    made.controller.port = unused_port()
    made.controller.start()
    yield made
    made.controller.stop()


@pytest.fixture(scope="module")
def migrated(new_database: Callable[..., AbstractContextManager[str]]) -> Iterator[Settings]:
    """One migrated database for these tests."""
    with new_database("outbox") as url:
        settings = Settings(_env_file=None, database_url=PostgresDsn(url), settle_s=0.0)
        prepare_database(settings)
        yield settings
        for role in ("ecg_writer", "ecg_reviewer"):
            store_engine(settings, role).dispose()
        owner_engine(settings).dispose()


@pytest.fixture
def settings(migrated: Settings, webhook: Webhook, mailbox: Mailbox, tmp_path: Path) -> Settings:
    """With a mailbox and a webhook as channels, and an empty outbox."""
    with owner_engine(migrated).begin() as connection:
        connection.execute(text("TRUNCATE ecg.outbox_message, ecg.outbox_delivery, ecg.sign_of_life"))
    mail = f"smtp://ecg:s3cret%2Fword@127.0.0.1:{mailbox.controller.port}/?from=ecg@example.org&to=ops@example.org"
    channels = {"mail": mail, "hook": webhook.address}
    return migrated.model_copy(update={"channels": SecretStr(json.dumps(channels)), "home": tmp_path})
