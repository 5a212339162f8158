"""The certificate of the door, and its renewal without closing it."""

from __future__ import annotations

import ssl

from neocloud.gateway.settings import SettingsError, TlsFiles


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A server's context with that certificate: TLS 1.2 or newer, HTTP/1.1.

    Raises:
        SettingsError: a file cannot be read, is no such thing, or the key is another's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    _load(context, files)
    return context


def renew(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Let connections from now on see the certificate that the files hold now.

    Raises:
        SettingsError: as `tls_context`; the old certificate then stays.
    """
    tls_context(files)  # whether they hold, before anything is changed
    _load(context, files)


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    for path in (files.certificate, files.key):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None
    try:
        # A key under a password would otherwise be asked for at a terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"{files.certificate} and {files.key} are no certificate with its key: {error}"
        ) from None
