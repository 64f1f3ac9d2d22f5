"""The certificate authorities with which the functions verify the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509

from local.paths import ROOT

CERTIFICATES = x509.load_pem_x509_certificates((ROOT / "layers/scheduler/rds-ca.pem").read_bytes())


def name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(attribute.value)


def test_all_certificates_are_roots_of_rds() -> None:
    for certificate in CERTIFICATES:
        certificate.verify_directly_issued_by(certificate)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert name(certificate).startswith("Amazon RDS ")


def test_no_certificate_expires_within_a_year() -> None:
    ends = min(certificate.not_valid_after_utc for certificate in CERTIFICATES)

    assert ends > datetime.now(UTC) + timedelta(days=365)


def test_regions_have_the_default_authority_of_rds() -> None:
    names = {name(certificate) for certificate in CERTIFICATES}

    for region in ("us-east-1", "eu-central-1", "ap-southeast-1", "ap-northeast-1"):
        assert f"Amazon RDS {region} Root CA RSA2048 G1" in names
