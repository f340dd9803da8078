"""What BigQuery's errors mean here, and which of them are worth another try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from schemas.errors import FeatureStoreError, StorageUnavailableError, WarehouseError

RETRYABLE_CODES = frozenset({429, 500, 502, 503, 504})
RETRYABLE_REASONS = frozenset(
    {"backendError", "internalError", "jobBackendError", "jobInternalError", "jobRateLimitExceeded", "rateLimitExceeded"}
)
ABORTED = ("aborted due to concurrent update", "could not serialize access")
NOTHING_CHANGED = "nothing was changed"


class NotAllowedError(StorageUnavailableError):
    """The account lacks a right."""


def reasons(error: BaseException) -> frozenset[str]:
    """Return the reason codes that BigQuery gave with an error."""
    details = getattr(error, "errors", None) or []
    return frozenset(str(item.get("reason", "")) for item in details if isinstance(item, dict))


def message(error: BaseException) -> str:
    """Return the error as one short line, without the address it came from and without the statement."""
    text = str(getattr(error, "message", None) or error).strip()
    line = " ".join(text.splitlines()[0].split()) if text else type(error).__name__
    _, separator, rest = line.partition("prettyPrint=false: ")
    return (rest if separator else line).partition("; reason: ")[0][:400].rstrip(".")


def _is_cut(error: BaseException) -> bool:
    """TRUE when the connection failed, so that nobody knows whether the request arrived."""
    from google.api_core import exceptions as core
    from google.auth import exceptions as auth
    from requests import exceptions as http

    cut = (http.ConnectionError, http.Timeout, http.ChunkedEncodingError, ConnectionError, TimeoutError, auth.TransportError)
    return isinstance(error, (*cut, core.RetryError))


def is_retryable(error: BaseException) -> bool:
    """TRUE when the same request may succeed later: a cut connection, an overloaded or failing service."""
    code = getattr(error, "code", None)
    return _is_cut(error) or code in RETRYABLE_CODES or bool(reasons(error) & RETRYABLE_REASONS)


def is_worth_another_job(error: BaseException) -> bool:
    """TRUE when a job failed and left nothing, and the same statement may succeed under a new job id."""
    # The client gives the code 500 to every reason of a job that it does not know, a limit of bytes for one.
    if getattr(error, "code", None) == 500 and reasons(error) and not reasons(error) & RETRYABLE_REASONS:
        return False
    return not _is_cut(error) and (is_retryable(error) or any(sign in str(error).lower() for sign in ABORTED))


def _by_code(what: str, error: Any) -> FeatureStoreError:
    text, code, given = message(error), getattr(error, "code", None), reasons(error)
    if "bytesBilledLimitExceeded" in given or "limit for bytes billed" in text.lower():
        return WarehouseError(f"{what} would read more bytes than allowed", [text], "raise NBA_FEATURES_MAX_BYTES_BILLED or ask for less")
    if "quotaExceeded" in given:
        return StorageUnavailableError(f"{what} met a quota of the project", [text], f"{NOTHING_CHANGED}; wait or ask for more quota")
    if is_retryable(error):
        return StorageUnavailableError(f"{what} failed after several tries", [text], f"{NOTHING_CHANGED}; try again")
    if code == 403:
        return NotAllowedError(f"{what} is not allowed", [text], "`nba-features cloud check` prints what the account lacks")
    if code == 401:
        return StorageUnavailableError(f"{what}: the credentials are refused", [text], "run `gcloud auth application-default login`")
    if code == 404:
        return WarehouseError(f"{what}: a table or dataset is missing", [text], "run `nba-features schemas apply`")
    return WarehouseError(f"{what} failed", [text], NOTHING_CHANGED)


@contextmanager
def cloud_errors(what: str, unknown_outcome: bool = False) -> Iterator[None]:
    """Turn what the client raises into a `WarehouseError`; one that nothing can be written after is `StorageUnavailableError`."""
    from google.api_core import exceptions as core
    from google.auth import exceptions as auth

    try:
        yield
    except FeatureStoreError:
        raise
    except auth.DefaultCredentialsError:
        raise StorageUnavailableError(
            "no credentials for Google Cloud", [], "run `gcloud auth application-default login` or set GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    except auth.GoogleAuthError as error:
        raise StorageUnavailableError("the credentials do not work", [type(error).__name__], "renew them") from None
    except Exception as error:
        if _is_cut(error):
            hint = "it may still run: run this again and it is found by its job id" if unknown_outcome else f"{NOTHING_CHANGED}; try again"
            raise StorageUnavailableError(f"{what}: BigQuery cannot be reached", [type(error).__name__], hint) from None
        if isinstance(error, core.GoogleAPICallError):
            raise _by_code(what, error) from None
        raise


def retry(initial: float, seconds: float, predicate: Callable[[BaseException], bool] = is_retryable) -> Any:
    """Return the client's retry: waits grow, each is drawn at random up to its bound, for `seconds` in all."""
    from google.api_core.retry import Retry

    return Retry(predicate=predicate, initial=initial, maximum=max(initial, 30.0), multiplier=2.0, timeout=seconds)
