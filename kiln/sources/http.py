"""HTTP requests whose failures are reasons: logins of the user, redirects that stay on TLS, errors in a few words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
import requests.auth
import requests.utils
import urllib3

from kiln.sources.address import server, site
from kiln.sources.errors import OriginError, TransientError, UnreachableError
from kiln.sources.settings import Patience
from kiln.sources.watched import WatchedAdapter

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class Logins(requests.auth.AuthBase):
    """Logins for the sites they belong to, and the user's netrc for all others."""

    def __init__(self, known: Mapping[str, tuple[str, str]]) -> None:
        self._known = known

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        login = self._known.get(site(url)) or requests.utils.get_netrc_auth(url)
        # As bytes: requests itself writes only the letters of Latin-1.
        encoded = (part.encode("utf-8") for part in login or ())
        return requests.auth.HTTPBasicAuth(*encoded)(request) if login else request

    @classmethod
    def of(cls, urls: Iterable[str]) -> Logins:
        """The logins that are written inside URLs."""
        known = {}
        for url in urls:
            parts = urlsplit(url)
            if parts.username:
                known[site(url)] = (unquote(parts.username), unquote(parts.password or ""))
        return cls(known)


class Session(requests.Session):
    """A session that waits for no part of an answer longer than `patience` says.

    It follows no redirects: requests would first read all of their bodies.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        super().__init__()
        patience = patience or Patience()
        self.mount("http://", WatchedAdapter(patience))
        self.mount("https://", WatchedAdapter(patience))

    def merge_environment_settings(
        self,
        url: str | bytes | None,
        proxies: MutableMapping[str, str] | None,
        stream: bool | None,
        verify: bool | str | None,
        cert: str | tuple[str, str] | None,
    ) -> Any:
        """The proxies of one request: the session's own come before those of variables, and NO_PROXY before both."""
        own = dict(self.proxies)
        if own and requests.utils.should_bypass_proxies(str(url), no_proxy=None):
            own = dict.fromkeys((*own, "http", "https", "all"), "")
        return super().merge_environment_settings(url, {**own, **(proxies or {})}, stream, verify, cert)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No target, whatever the answer says."""


def content_length(response: requests.Response) -> int | None:
    """How many bytes an answer says that it has; None where it does not say it in a sensible number."""
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def raise_for_status(response: requests.Response) -> None:
    """OriginError for every answer but success."""
    if response.status_code not in (200, 206):
        reason = f"answers {response.status_code} {response.reason or ''}"[:80].rstrip()
        raise (TransientError if response.status_code in TRANSIENT else OriginError)(reason)


def redirected(url: str, location: str) -> str:
    """The URL that an answer redirects to; OriginError where it is not followed."""
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise OriginError("leads to something that is not a URL") from error
    if scheme not in ("http", "https"):
        raise OriginError(f"redirects to {scheme}:, which is not followed")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise OriginError("redirects from https to http, which is not followed")
    return target


@contextlib.contextmanager
def reasons(url: str) -> Iterator[None]:
    """The network library's errors as reasons in a few words; its own texts would show whole URLs."""

    def host(reason: str) -> str:
        return f"{server(url)} {reason}"

    try:
        yield
    except requests.exceptions.SSLError as error:
        reason = "has a TLS certificate that is not trusted (REQUESTS_CA_BUNDLE names your own)"
        raise OriginError(reason, host=host(reason)) from error
    except requests.exceptions.ConnectTimeout as error:
        reason = "does not answer in time"
        raise UnreachableError(reason, host=host(reason)) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransientError("does not answer in time") from error
    except requests.exceptions.ProxyError as error:
        reason = "cannot be reached through the proxy"
        raise UnreachableError(reason, host=host(reason)) from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise OriginError("leads to something that is not a URL") from error
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError) as error:
        raise TransientError("breaks off in the middle") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # A server that hangs up may answer the next time; one that is not there will not.
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        reason = "cannot be reached"
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            raise UnreachableError(reason, host=host(reason)) from error
        raise TransientError(reason) from error
