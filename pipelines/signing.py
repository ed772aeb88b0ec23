"""Signing in with a key instead of a secret: a JSON Web Token, signed with RSA and SHA-256 (RS256).

Belongs here: reading the configured key, and signing. Does not: what is said of whoever signs in, or to whom (each
vendor's module).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pipelines.settings import Settings
from pipelines.source import SourceConfigError, never_tell

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def assertion(settings: Settings, claims: Mapping[str, Any], header: Mapping[str, str]) -> str:
    """The claims, signed with the account's `private_key`. Raises `SourceConfigError` where that is no such key."""
    signed = b".".join(_base64(orjson.dumps(dict(part))) for part in (header, claims))
    try:
        key = load_pem_private_key(settings.need("private_key").replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SourceConfigError(
            settings.source,
            f"{settings.name('private_key')} is no RSA key in PEM without a passphrase",
            "Set it to the whole file, from -----BEGIN PRIVATE KEY----- on",
        )
    found = (signed + b"." + _base64(key.sign(signed, PKCS1v15(), SHA256()))).decode()
    never_tell(found)
    return found


def _base64(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
