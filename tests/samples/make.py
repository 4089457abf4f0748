#!/usr/bin/env python3
"""Makes signed and sealed samples of institutions with OpenSSL, so that nothing of ours vouches for itself.

Usage: tests/samples/make.py        writes codecs/*/samples and, where a key is missing, keys/testdata/samples

Only the standard library and the `openssl` command (3.0 or later, with SM2, SM3 and SM4) are used. SM2 signatures are random:
a second run changes every signed file and breaks none. Tests read the files; nothing runs this script.
"""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = ROOT / "keys/testdata/samples"
DEFAULT_ID = "1234567812345678"


def openssl(*arguments, data=b""):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def on_file(data, run):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return run(file.name)


def key(name):
    """The private key of this name, made where it is missing."""
    path = KEYS / f"{name}.key.pem"
    if not path.exists():
        kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        if name.startswith("sm2"):
            kind = ["-algorithm", "SM2"]
        path.write_bytes(openssl("genpkey", *kind))
        public = openssl("pkey", "-in", str(path), "-pubout")
        (KEYS / f"{name}.pub.pem").write_bytes(public)
    return str(path)


def sm2_sign(name, text, user_id=DEFAULT_ID):
    return on_file(text, lambda file: openssl(
        "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", key(name), "-pkeyopt", f"distid:{user_id}", "-in", file))


def rsa_sign(name, text):
    return openssl("dgst", "-sha256", "-sign", key(name), data=text)


def sign(suite, text, **options):
    signed = sm2_sign("sm2-sign", text, **options) if suite.startswith("sm") else rsa_sign("rsa-sign", text)
    return base64.b64encode(signed).decode()


def raw(signature):
    """r||s of a DER signature."""
    der = base64.b64decode(signature)
    length = der[3]
    r, s = der[4:4 + length], der[6 + length:]
    return base64.b64encode(r[-32:].rjust(32, b"\0") + s[-32:].rjust(32, b"\0")).decode()


def wrap(suite, text):
    name = "sm2-seal" if suite == "sm" else "rsa-seal"
    key(name)
    public = str(KEYS / f"{name}.pub.pem")
    return base64.b64encode(on_file(text, lambda file: openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, "-in", file))).decode()


def encrypt(name, clear, *options):
    """A value by itself under a public key: SM2 in ASN.1, or RSA as the options say."""
    key(name)
    public = str(KEYS / f"{name}.pub.pem")
    sealed = on_file(clear, lambda file: openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public, *options, "-in", file))
    return base64.b64encode(sealed).decode()


def seal(suite, data_key, clear):
    cipher = "-sm4-ecb" if suite == "sm" else "-aes-256-ecb"
    sealed = openssl("enc", cipher, "-K", data_key.hex(), data=clear.encode())
    return base64.b64encode(sealed).decode()


def write(codec, name, lines, body):
    folder = ROOT / "codecs" / codec / "samples"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n---\n" + body + "\n", newline="")


def main():
    sys.dont_write_bytecode = True
    import alipay
    import cnaps2
    import dcep
    import epcc
    import jdpay
    import tenpay
    import tenpay_v2
    import unionpay_form
    import unionpay_pos
    import unionpay_quick
    KEYS.mkdir(exist_ok=True)
    epcc.make()
    alipay.make()
    unionpay_form.make()
    unionpay_quick.make()
    tenpay.make()
    tenpay_v2.make()
    jdpay.make()
    cnaps2.make()
    dcep.make()
    unionpay_pos.make()


if __name__ == "__main__":
    main()
