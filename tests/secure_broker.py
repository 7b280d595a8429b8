"""A Kafka that lets nobody in without a password and does nothing that was not granted: TLS, SCRAM, ACLs.

Rules of this file: the broker, its certificates and its users; which rights a user needs is the test's.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.broker import START_S, KRaftBroker, _jars, answers

Kafka = dict[str, str | int | float | bool]

PASSWORD = "correct horse"
"""Of every user."""
ADMIN = "admin"

_LOGIN = (
    "org.apache.kafka.common.security.scram.ScramLoginModule required "
    f'username="{ADMIN}" password="{PASSWORD}";'
)
_PROPERTIES = f"""
listeners=SASL_SSL://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=SASL_SSL://127.0.0.1:{{port}}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={_LOGIN}
ssl.keystore.type=PEM
ssl.keystore.location=FOLDER/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=FOLDER/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{ADMIN};User:ANONYMOUS
"""
"""ANONYMOUS is the broker itself on the controller's listener, which no client uses."""


class SecureBroker:
    """`as_user` is what a client needs; nobody but the administrator may do anything until granted."""

    def __init__(self, broker: KRaftBroker, ca: Path) -> None:
        self.broker, self.ca = broker, ca
        self.admin = AdminClient(self.as_user(ADMIN))

    def as_user(self, name: str, password: str = PASSWORD) -> Kafka:
        return {"bootstrap.servers": self.broker.bootstrap, **_client(name, password, self.ca)}

    def add_user(self, name: str) -> Kafka:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, info, PASSWORD.encode())
        for future in self.admin.alter_user_scram_credentials([change]).values():
            future.result()
        kafka = self.as_user(name)
        until = time.monotonic() + START_S
        while not answers(self.broker.bootstrap, more=kafka):  # the broker knows it a moment later
            assert time.monotonic() < until, f"{name} cannot log in"
        return kafka

    def grant(self, user: str, rights: Iterable[tuple[str, str, str]]) -> None:
        """(kind, name, operation), as the table of rights has them; a name that ends in `*` is a prefix."""
        for future in self.admin.create_acls([_binding(user, *right) for right in rights]).values():
            future.result()

    def withdraw(self, user: str, kind: str, name: str, operation: str) -> None:
        bound = _binding(user, kind, name, operation)
        wanted = AclBindingFilter(
            bound.restype,
            bound.name,
            bound.resource_pattern_type,
            bound.principal,
            bound.host,
            bound.operation,
            bound.permission_type,
        )
        for future in self.admin.delete_acls([wanted]).values():
            assert len(future.result()) == 1


def _binding(user: str, kind: str, name: str, operation: str) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    return AclBinding(
        {
            "topic": ResourceType.TOPIC,
            "group": ResourceType.GROUP,
            "transactional id": ResourceType.TRANSACTIONAL_ID,
        }[kind],
        name.removesuffix("*"),
        pattern,
        f"User:{user}",
        "*",
        AclOperation[operation.upper().replace(" ", "_")],
        AclPermissionType.ALLOW,
    )


def _client(user: str, password: str, ca: Path) -> Kafka:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
        "ssl.ca.location": str(ca),
    }


def certificates(folder: Path) -> Path:
    """`broker.pem` with its key, signed by `ca.pem`, whose path this is; good for 127.0.0.1 and a day."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("ca", "broker")]
    made = []
    for key, name in zip(keys, names, strict=True):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(name is names[0], None), critical=True)
        )
        if name is not names[0]:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "broker.pem").write_bytes(private + made[1])
    (folder / "ca.pem").write_bytes(made[0])
    return folder / "ca.pem"


@contextmanager
def secure_broker(folder: Path) -> Iterator[SecureBroker]:
    """Always one of our own, since it is the broker's settings that are needed. Raises NoBroker."""
    ca = certificates(folder)
    broker = KRaftBroker(
        _jars(),
        folder,
        _PROPERTIES.replace("FOLDER", str(folder)),
        ["--standalone", "--add-scram", f"SCRAM-SHA-512=[name={ADMIN},password={PASSWORD}]"],
        _client(ADMIN, PASSWORD, ca),
    )
    broker.start()
    try:
        yield SecureBroker(broker, ca)
    finally:
        broker.stop()
