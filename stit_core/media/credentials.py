"""Content credentials (C2PA): a signed record in the video of what was done to it. Needs the package c2pa-python.

Whoever opens the video with a tool that knows them sees that it was edited with a trained network, by which program,
and whether it was changed since. Who signed is as good as the certificate: one that was made here says so, and a
verifier calls it untrusted. The network is asked neither for a time stamp nor whether a certificate was revoked.

Source: C2PA specification 2 (actions, certificate profile), IPTC digital source types.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stit_core.errors import ConfigError, VideoError

CERTIFICATE, KEY = "STIT_C2PA_CERT", "STIT_C2PA_KEY"  # variables of the environment
PACKAGE = "c2pa-python"
KINDS = {".mp4": "video/mp4", ".mov": "video/quicktime"}  # that can carry them
SOFTWARE = {"name": "STIT Studio"}
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
RECORD = "org.stit-studio.edit"  # our own assertion: the edit manifest
TRIAL_DAYS = 365
TRIAL_NAMES = ("stit-trial.pem", "stit-trial.key")

Seal = Callable[[Path, Path, str], None]  # (finished video, where its signed copy is written, suffix of its name)


@dataclass(frozen=True)
class Signer:
    """A certificate with its key.

    Attributes
    ----------
    certificate: PEM file of the chain, the signer's own first.
    key: PEM file of its private key, without a password: ECDSA, Ed25519 or RSA.
    """

    certificate: Path
    key: Path

    def check(self) -> None:
        """Sign nothing, but see that it could be done.

        Raises
        ------
        ConfigError: a file that cannot be read, is none, does not belong to the other, or a package that is missing.
        """
        with _open_signer(self):
            pass

    def seal(self, edit: str, record: Mapping[str, Any]) -> Seal:
        """What signs a video of this edit.

        Parameters
        ----------
        edit: what was changed, in a line.
        record: the edit manifest.
        """
        return functools.partial(sign, signer=self, edit=edit, record=record)


def read_signer(environ: Mapping[str, str]) -> Signer | None:
    """The signer that STIT_C2PA_CERT and STIT_C2PA_KEY name, checked; None where neither is set.

    Raises
    ------
    ConfigError: one is set and the other is not, or as `Signer.check`.
    """
    given = [environ.get(name, "").strip() for name in (CERTIFICATE, KEY)]
    if not any(given):
        return None
    if not all(given):
        raise ConfigError(f"Of {CERTIFICATE} and {KEY} only one is set.", "Name the certificate and its key.")
    signer = Signer(*(Path(name).expanduser() for name in given))
    signer.check()
    return signer


def check_kind(path: Path) -> None:
    """Refuse a video file that cannot carry credentials. Raises VideoError."""
    if path.suffix.lower() not in KINDS:
        hint = f"End its name in {', '.join(KINDS)}, or unset {CERTIFICATE} and {KEY}."
        raise VideoError(f"{path.name} cannot carry content credentials.", hint)


def sign(video: Path, target: Path, suffix: str, *, signer: Signer, edit: str, record: Mapping[str, Any]) -> None:
    """Write a signed copy of a video; its pictures and its sound stay as they are, byte for byte.

    Parameters
    ----------
    suffix: one of `KINDS`; the files that a video is made in have names of their own.

    Raises
    ------
    ConfigError: as `Signer.check`.
    VideoError: it cannot be signed.
    """
    c2pa = _package()
    kind = KINDS[suffix.lower()]
    try:
        with (
            _open_signer(signer) as opened,
            c2pa.Builder(json.dumps(_claim(kind, edit, record))) as builder,
            video.open("rb") as source,
            target.open("w+b") as signed,
        ):
            builder.sign(opened, kind, source, signed)
    except (c2pa.C2paError, OSError) as error:
        message = f"The video could not be signed: {_said(error)}."
        raise VideoError(message, f"Check {CERTIFICATE} and {KEY}, or unset them.") from error


def read_credentials(path: Path) -> dict[str, Any] | None:
    """What the credentials of a video say, and what is wrong with them; None where it has none.

    Returns
    -------
    "state": "Valid" (nothing was changed; who signed is not known here), "Trusted" or "Invalid"; "problems": codes of
    the specification; "signed_by"; "actions" and "record", as they were signed.

    Raises
    ------
    ConfigError: the package is missing.
    VideoError: the file cannot be read.
    """
    c2pa = _package()
    check_kind(path)
    try:
        with path.open("rb") as file, c2pa.Reader(KINDS[path.suffix.lower()], file) as reader:
            found = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except (c2pa.C2paError, OSError) as error:
        raise VideoError(f"The credentials of {path.name} cannot be read: {_said(error)}.") from error
    active = found["manifests"][found["active_manifest"]]
    said = {assertion["label"]: assertion["data"] for assertion in active["assertions"]}
    return {
        "state": found["validation_state"],
        "problems": [problem["code"] for problem in found.get("validation_status", [])],
        "signed_by": active.get("signature_info", {}).get("issuer", ""),
        "actions": said.get("c2pa.actions.v2", {}).get("actions", []),
        "record": json.loads(said[RECORD]["manifest"]) if RECORD in said else None,
    }


def make_trial(folder: Path) -> Signer:
    """Make a certificate for trials, with an authority that nobody knows and whose key is thrown away.

    The specification takes no certificate that is signed by itself, so that it is signed by an authority of its own.

    Raises
    ------
    ConfigError: a file of that name is there, the folder cannot be written, or a package is missing.
    """
    chain, key = _trial_pem()
    signer = Signer(*(folder / name for name in TRIAL_NAMES))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data, mode in ((signer.key, key, 0o600), (signer.certificate, chain, 0o644)):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
    except OSError as error:
        reason = error.strerror or "no reason given"
        raise ConfigError(f"{error.filename} cannot be written ({reason}).", "Name another folder.") from error
    return signer


def _claim(kind: str, edit: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed: a clip was opened, then edited with a trained network; nothing of its own is passed on."""
    source = f"xmp:iid:{uuid.uuid4()}"
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [source]}}
    edited = {
        "action": "c2pa.edited",
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": SOFTWARE,
        "parameters": {"description": edit},
    }
    ingredient = {"title": "the clip", "format": "video/mp4", "relationship": "parentOf", "instance_id": source}
    return {
        "claim_generator_info": [SOFTWARE],
        "title": "AI-edited video",
        "format": kind,
        "ingredients": [ingredient],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}},
            # As text: of its own, the library makes bytes of lists of small numbers.
            {"label": RECORD, "data": {"manifest": json.dumps(record)}},
        ],
    }


@contextlib.contextmanager
def _open_signer(signer: Signer) -> Iterator[Any]:
    c2pa = _package()
    try:
        chain, key = signer.certificate.read_bytes(), signer.key.read_bytes()
        algorithm = _algorithm(chain, key)
        opened = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
    except OSError as error:
        reason = error.strerror or "no reason given"
        raise ConfigError(f"{error.filename} cannot be read ({reason}).", f"Check {CERTIFICATE} and {KEY}.") from error
    except (c2pa.C2paError, ValueError, TypeError) as error:
        message = f"{signer.certificate.name} and {signer.key.name} sign nothing: {_said(error)}."
        raise ConfigError(
            message, "They are PEM files, the key without a password; docs/hosting.md has more."
        ) from error
    with opened:
        yield opened


def _algorithm(chain: bytes, key: bytes) -> bytes:
    """The name of the algorithm that the specification has for a key.

    Raises
    ------
    ValueError: no certificate or key, one that it has no algorithm for, or a key of another certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(key, None)
    if x509.load_pem_x509_certificates(chain)[0].public_key() != private.public_key():
        raise ValueError("the key belongs to another certificate")
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.key_size in (256, 384, 521):
        return {256: b"es256", 384: b"es384", 521: b"es512"}[private.curve.key_size]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return b"ps256"
    raise ValueError("a key of this kind cannot be used")


def _trial_pem() -> tuple[bytes, bytes]:
    """Chain and key of a certificate for trials, of the profile that the specification asks for."""
    _package()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text: str) -> x509.Name:
        owner = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "STIT Studio, for trials only")
        return x509.Name([owner, x509.NameAttribute(NameOID.COMMON_NAME, text)])

    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)  # clocks differ

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, signs: bool) -> x509.Certificate:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        allowed = x509.KeyUsage(
            digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, decipher_only=False, **usage
        )
        made = (
            x509.CertificateBuilder(name("authority of its own"), name(subject), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=TRIAL_DAYS))
            .add_extension(x509.BasicConstraints(signs, 0 if signs else None), critical=True)
            .add_extension(allowed, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        )
        if not signs:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        return made.sign(authority, hashes.SHA256())

    pem = serialization.Encoding.PEM
    parts = certificate("signer", own, False), certificate("authority of its own", authority, True)
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return b"".join(part.public_bytes(pem) for part in parts), key


def _package() -> Any:
    """The package c2pa.

    Raises
    ------
    ConfigError: it is not installed.
    """
    logging.getLogger("c2pa").setLevel(logging.ERROR)
    try:
        return importlib.import_module("c2pa")
    except (ImportError, OSError) as error:  # its library may not fit this system
        hint = "Install requirements-c2pa.txt with pip."
        raise ConfigError(f"Content credentials need the package {PACKAGE}.", hint) from error


def _said(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
