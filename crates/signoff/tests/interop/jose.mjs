// The partner that uses `jose`. Reads one order as JSON from standard input, and answers with JSON. It decides nothing:
// tests/it/interop.rs does.
import { createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { calculateJwkThumbprint, createLocalJWKSet, importJWK, jwtVerify, SignJWT } from "jose";

const GENERATED = {
  EdDSA: ["ed25519"],
  ES256: ["ec", { namedCurve: "P-256" }],
  ES384: ["ec", { namedCurve: "P-384" }],
  RS256: ["rsa", { modulusLength: 2048 }],
  PS256: ["rsa", { modulusLength: 2048 }],
};

function generate(alg) {
  if (alg.startsWith("HS")) {
    const secret = randomBytes(Number(alg.slice(2)) / 8);
    const jwk = createSecretKey(secret).export({ format: "jwk" });
    return { jwk, public: null, raw: secret.toString("base64url") };
  }
  const { privateKey, publicKey } = generateKeyPairSync(...GENERATED[alg]);
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  const [jwk, shared] = [privateKey, publicKey].map((key) => key.export({ format: "jwk" }));
  return { jwk, public: shared, raw: der.toString("base64url") };
}

async function exchange({ alg, jwk, public: shared, kid, jwks, token, changed, claims, required, issuer, audience }) {
  const asymmetric = shared !== null;
  const key = await importJWK(asymmetric ? shared : jwk, alg);
  const expected = { issuer, audience, typ: "at+jwt", algorithms: [alg], requiredClaims: required };
  const { payload } = await jwtVerify(token, key, expected);
  const refusal = async (token, expected) => {
    try {
      await jwtVerify(token, key, expected);
      return null;
    } catch (error) {
      return error.code;
    }
  };
  const sign = (header) => new SignJWT(claims).setProtectedHeader(header).sign(
    asymmetric ? createPrivateKey({ key: jwk, format: "jwk" }) : key,
  );
  return {
    read: payload,
    read_by_set: asymmetric ? (await jwtVerify(token, createLocalJWKSet(jwks), expected)).payload : null,
    thumbprint: asymmetric ? await calculateJwkThumbprint(shared) : null,
    refusal_of_changed: await refusal(changed, expected),
    refusal_of_audience: await refusal(token, { ...expected, audience: `${audience}/other` }),
    minted: await sign({ alg, typ: "at+jwt", kid }),
    minted_by_default: await sign({ alg, kid }),
  };
}

const order = JSON.parse(readFileSync(0, "utf8"));
const answer = order.generate ? order.generate.map(generate) : await Promise.all(order.exchange.map(exchange));
console.log(JSON.stringify(answer));
