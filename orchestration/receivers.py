"""Who takes deliveries, by the environment: topics for programs, Apprise addresses for people. Addresses never leave this module."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.outbox import SECONDS, Sender
from quality.events import SEVERITIES
from schemas.errors import DeliveryError, UsageError
from schemas.settings import Settings

TOPIC = re.compile(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
COMPLETIONS_TOPIC, TRIGGER_TOPIC, SUCCESS_TOPIC = "phase4-processor-success", "phase4-ml-feature-store-trigger", "ml-feature-store-success"
NOTIFY = "NBA_FEATURES_NOTIFY"
FORWARD = "NBA_FEATURES_MESSAGE_URL"
COLOURS = {"P0": "failure", "P1": "failure", "P2": "warning", "P3": "warning", "info": "info"}


def masked(address: str) -> str:
    """Return scheme and fingerprint of an address: enough to tell it from others, nothing to use it with."""
    scheme = address.partition("://")[0] if "://" in address else "address"
    return f"{scheme}://{hashlib.sha256(address.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Address:
    """An Apprise address and the least urgent severity it is told of. Its text form holds no secret."""

    url: str = field(repr=False)
    least: str = "P2"

    @property
    def target(self) -> str:
        """Name of the address on record."""
        return masked(self.url)

    def wants(self, severity: str) -> bool:
        """TRUE when the severity is urgent enough for this address."""
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.least)


def _address(text: str) -> Address:
    least, found, url = text.partition("=")
    if found and least in SEVERITIES:
        return Address(url, least)
    return Address(text)


def configured(environ: Mapping[str, str] | None = None) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Return the addresses Apprise knows, and of the others place and fingerprint."""
    env = os.environ if environ is None else environ
    found = [_address(text) for text in env.get(NOTIFY, "").split()]
    if not found:
        return (), ()
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    known = [Apprise.instantiate(item.url) is not None for item in found]
    wrong = tuple(f"number {place}, {item.target}" for place, item in enumerate(found, 1) if not known[place - 1])
    return tuple(item for item, is_known in zip(found, known, strict=True) if is_known), wrong


def refuse_wrong_addresses(wrong: Sequence[str]) -> None:
    """Raise `UsageError` for addresses that are none; only their places and schemes are named."""
    if wrong:
        raise UsageError(f"{NOTIFY} holds what is no address", wrong, "write for example P1=slack://... P3=json://host/path, see Apprise")


def addresses(environ: Mapping[str, str] | None = None) -> tuple[Address, ...]:
    """Read the addresses, separated by blanks: `P0=pagerduty://... P3=slack://...`; without a severity, P2 and worse.

    Raises:
        UsageError: what is given is no address Apprise knows.
    """
    found, wrong = configured(environ)
    refuse_wrong_addresses(wrong)
    return found


class AppriseSender:
    """Notifies one address."""

    def __init__(self, address: Address, seconds: float = SECONDS) -> None:
        self.address = address
        self.seconds = seconds

    def send(self, delivery: Mapping[str, Any]) -> None:
        """Notify; raise `DeliveryError` when the server did not take it."""
        from apprise import Apprise

        # Apprise writes addresses into its log.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        target = Apprise.instantiate(self.address.url)
        if target is None:
            raise DeliveryError("the address is none that Apprise knows", [self.address.target])
        # Neither connecting nor reading may outlast what a command has for it.
        target.socket_connect_timeout = min(self.seconds, target.socket_connect_timeout or self.seconds)
        target.socket_read_timeout = min(self.seconds, target.socket_read_timeout or self.seconds)
        if not target.notify(body=delivery["body"], title=delivery["title"], notify_type=COLOURS[delivery["severity"] or "info"]):
            raise DeliveryError("the server did not take the notification", [self.address.target])


class FolderSender:
    """Leaves each message as a file below a folder, for a program that watches it. A file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, delivery: Mapping[str, Any]) -> None:
        """Write the message; raise `DeliveryError` when the folder cannot be written."""
        path = self.folder / delivery["target"] / f"{delivery['game_date']}-{delivery['delivery_id']}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".half")
            half.write_text(delivery["body"] + "\n", encoding="utf-8")
            half.replace(path)
        except OSError as error:
            raise DeliveryError("the message cannot be written", [error.strerror or type(error).__name__]) from None


class HttpSender:
    """Posts each message as a CloudEvent to one address."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.url = url
        self.seconds = seconds

    def send(self, delivery: Mapping[str, Any]) -> None:
        """Post; raise `DeliveryError` unless the server answers with a status of the two hundreds."""
        import requests

        event = {
            "specversion": "1.0",
            "id": delivery["delivery_id"],
            "source": "nba-features",
            "type": f"nba-features.{delivery['target']}",
            "datacontenttype": "application/json",
            "data": json.loads(delivery["body"]),
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        try:
            answer = requests.post(self.url, json=event, headers=headers, timeout=self.seconds, allow_redirects=False)
        except requests.RequestException as error:
            raise DeliveryError("the receiver could not be reached", [masked(self.url), type(error).__name__]) from None
        if not 200 <= answer.status_code < 300:
            raise DeliveryError("the receiver refused the message", [masked(self.url), answer.status_code])


class PubSubSender:
    """Publishes each message to the topic of its name, in the project of the gcp profile."""

    def __init__(self, project: str, seconds: float = SECONDS) -> None:
        self.project = project
        self.seconds = seconds

    def send(self, delivery: Mapping[str, Any]) -> None:
        """Publish and wait for the server's word; raise `DeliveryError` without it."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.pubsub_v1 import PublisherClient

        try:
            with PublisherClient() as client:
                attributes = {"message_id": delivery["delivery_id"], "game_date": str(delivery["game_date"])}
                path = client.topic_path(self.project, delivery["target"])
                client.publish(path, delivery["body"].encode(), timeout=self.seconds, **attributes).result(timeout=self.seconds)
        except (GoogleAPIError, GoogleAuthError, TimeoutError) as error:
            raise DeliveryError("Pub/Sub did not take the message", [delivery["target"], type(error).__name__]) from None


@dataclass(frozen=True)
class Topics:
    """Names of the topics: completions of Phase 4 jobs, the store's start, the store's success."""

    completions: str = COMPLETIONS_TOPIC
    trigger: str = TRIGGER_TOPIC
    success: str = SUCCESS_TOPIC

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (self.completions, self.trigger, self.success)


def topics(environ: Mapping[str, str] | None = None) -> Topics:
    """Read `NBA_FEATURES_TOPIC_COMPLETIONS`, `_TRIGGER` and `_SUCCESS`; raise `UsageError` for what is no topic's name."""
    env = os.environ if environ is None else environ
    given = {name: env.get(f"NBA_FEATURES_TOPIC_{name.upper()}", default) for name, default in vars(Topics()).items()}
    wrong = [name for name in given.values() if not TOPIC.fullmatch(name)]
    if wrong or len(set(given.values())) < len(given):
        raise UsageError("the topics must be three different names Pub/Sub allows", list(given.values()))
    return Topics(**given)


def senders(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, Sender]:
    """Return the receiver of every target: topics by the profile, notifications by the addresses.

    An address that is none has no receiver; it must not keep messages from programs.
    """
    env = os.environ if environ is None else environ
    found: dict[str, Sender] = {item.target: AppriseSender(item) for item in configured(env)[0]}
    forward = env.get(FORWARD)
    for topic in topics(env).names:
        if settings.gcp is not None:
            found[topic] = PubSubSender(settings.gcp.project)
        else:
            found[topic] = HttpSender(forward) if forward else FolderSender(settings.home / "outbox")
    return found
