// Fastify with fast-jwt: Ed25519, and the memory of tokens that were verified before, with its default key, a hash of the token.
// It knows no revocation: there is nothing to log out with.

import { generateKeyPairSync, randomUUID } from "node:crypto"
import { createSigner, createVerifier } from "fast-jwt"
import fastify from "fastify"

import { bearer, endWithInput, hello, say } from "./serve.mjs"

const { privateKey, publicKey } = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
})
const [iss, aud] = ["https://bank.example", "https://bank.example/api"]
const sign = createSigner({ algorithm: "EdDSA", key: privateKey, iss, aud, expiresIn: "15m" })
const verify = createVerifier({ algorithms: ["EdDSA"], key: publicKey, allowedIss: iss, allowedAud: aud, cache: true })

const app = fastify()

app.addHook("onRequest", async (request, reply) => {
  if (!request.routeOptions.config.open) {
    try {
      request.claims = verify(bearer(request.headers.authorization))
    } catch {
      return reply.code(401).send()
    }
  }
})

app.get("/private", async (request) => hello(request.claims.sub))
app.get("/tokens", { config: { open: true } }, async () => sign({ sub: "alice", jti: randomUUID() }))

await app.listen({ host: "127.0.0.1", port: 0 })
say(app.server)
endWithInput()
