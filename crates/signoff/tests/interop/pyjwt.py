"""The partner that uses PyJWT. Reads one order as JSON from standard input, and answers with JSON. It decides nothing:
tests/it/interop.rs does."""

import base64
import json
import secrets
import sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

GENERATED = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def generate(alg):
    to_jwk = jwt.get_algorithm_by_name(alg).to_jwk
    if alg.startswith("HS"):
        secret = secrets.token_bytes(int(alg[2:]) // 8)
        return {"jwk": to_jwk(secret, as_dict=True), "public": None, "raw": base64url(secret)}
    key = GENERATED[alg]()
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = to_jwk(key.public_key(), as_dict=True)
    return {"jwk": to_jwk(key, as_dict=True), "public": public, "raw": base64url(der)}


def exchange(order):
    alg, jwk, kid, claims = order["alg"], order["jwk"], order["kid"], order["claims"]
    asymmetric = order["public"] is not None
    public = jwt.PyJWK(order["public"] if asymmetric else jwk, algorithm=alg)

    def read(token, key=public, audience=order["audience"]):
        typ = jwt.get_unverified_header(token)["typ"]
        if typ != "at+jwt":
            raise jwt.InvalidTokenError(typ)
        options = {"require": order["required"]}
        return jwt.decode(token, key, [alg], options, audience=audience, issuer=order["issuer"])

    def refusal(token, **expected):
        try:
            read(token, **expected)
            return None
        except jwt.InvalidTokenError as error:
            return type(error).__name__

    private = jwt.PyJWK(jwk, algorithm=alg).key
    return {
        "read": read(order["token"]),
        "read_by_set": read(order["token"], jwt.PyJWKSet.from_dict(order["jwks"])[kid]) if asymmetric else None,
        # PyJWT has no thumbprints (RFC 7638).
        "thumbprint": None,
        "refusal_of_changed": refusal(order["changed"]),
        "refusal_of_audience": refusal(order["token"], audience=order["audience"] + "/other"),
        "minted": jwt.encode(claims, private, alg, {"typ": "at+jwt", "kid": kid}),
        "minted_by_default": jwt.encode(claims, private, alg, {"kid": kid}),
    }


order = json.load(sys.stdin)
answer = [generate(alg) for alg in order["generate"]] if "generate" in order else [exchange(x) for x in order["exchange"]]
json.dump(answer, sys.stdout)
