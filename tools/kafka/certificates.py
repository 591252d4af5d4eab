"""A certificate authority of one run, and certificates of its brokers and of a client."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_BEFORE, _LASTING = timedelta(hours=2), timedelta(days=2)


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM.

    Attributes:
        authority: its certificate.
        broker: key and certificate chain of the brokers.
        expired: the same, of which the certificate ended an hour ago.
        client: certificate chain of a client.
        client_key: its key.
    """

    authority: Path
    broker: Path
    expired: Path
    client: Path
    client_key: Path


def write_certificates(folder: Path) -> Certificates:
    """Write a new authority and its certificates into a folder."""
    files = Certificates(*(folder / f"{name}.pem" for name in Certificates.__slots__))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "photofeed tests")])
    authority = (
        _builder(name, name, key, key, _LASTING)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(key, hashes.SHA256())
    )
    files.authority.write_bytes(authority.public_bytes(_PEM))
    for file, lasting in ((files.broker, _LASTING), (files.expired, -timedelta(hours=1))):
        own, chain = _issue(authority, key, "localhost", lasting)
        file.write_bytes(own + chain)
    own, chain = _issue(authority, key, "photofeed", _LASTING)
    files.client_key.write_bytes(own)
    files.client.write_bytes(chain)
    for file in (files.broker, files.expired, files.client_key):
        file.chmod(0o600)
    return files


def _issue(
    authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, name: str, lasting: timedelta
) -> tuple[bytes, bytes]:
    """The key and the certificate chain of somebody on this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _builder(subject, authority.subject, key, authority_key, lasting)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(_PEM) + authority.public_bytes(_PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    lasting: timedelta,
) -> x509.CertificateBuilder:
    """A certificate with the identifiers of both keys, which Python 3.13 requires as RFC 5280 does."""
    now, issued_by = datetime.now(UTC), x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + lasting)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issued_by, critical=False)
    )
