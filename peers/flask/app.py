"""Flask with Flask-JWT-Extended and its list of revoked tokens in Redis, written after its documentation.

https://flask-jwt-extended.readthedocs.io/en/stable/blocklist_and_token_revoking.html has the check, `/logout` of the access
token, and `/revoke` of whichever token is presented, under another name here; the lifetime of what they store is from there.
https://flask-jwt-extended.readthedocs.io/en/stable/refreshing_tokens.html has `/refresh`.
"""

import os
import secrets
from datetime import timedelta

import redis
from flask import Flask, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)

ACCESS_EXPIRES = timedelta(seconds=int(os.environ["PEER_ACCESS_SECONDS"]))

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = secrets.token_hex(32)
app.config["JWT_ACCESS_TOKEN_EXPIRES"] = ACCESS_EXPIRES
jwt = JWTManager(app)
revoked = redis.Redis.from_url(os.environ["PEER_REDIS"], decode_responses=True)


@jwt.token_in_blocklist_loader
def is_revoked(_header, claims):
    return revoked.get(claims["jti"]) is not None


@app.get("/private")
@jwt_required()
def private():
    return f"Hello {get_jwt_identity()}, you have 42 EUR."


@app.get("/tokens")
def tokens():
    return create_access_token(identity="alice")


@app.post("/login")
def login():
    return jsonify(
        access_token=create_access_token(identity="alice"),
        refresh_token=create_refresh_token(identity="alice"),
    )


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return jsonify(access_token=create_access_token(identity=get_jwt_identity()))


@app.delete("/logout")
@jwt_required()
def logout():
    revoked.set(get_jwt()["jti"], "", ex=ACCESS_EXPIRES)
    return jsonify(msg="Access token revoked")


@app.delete("/revoke")
@jwt_required(verify_type=False)
def revoke():
    token = get_jwt()
    revoked.set(token["jti"], "", ex=ACCESS_EXPIRES)
    return jsonify(msg=f"{token['type'].capitalize()} token revoked")
