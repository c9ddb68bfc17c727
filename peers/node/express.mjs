// Express with jsonwebtoken and a list of revoked tokens in Redis, whose address is the argument: what people write by hand.
// The secret is a KeyObject, which jsonwebtoken verifies with much faster than with the string of its examples.

import { createSecretKey, randomBytes, randomUUID } from "node:crypto"
import express from "express"
import jwt from "jsonwebtoken"
import { createClient } from "redis"

import { bearer, endWithInput, hello, say } from "./serve.mjs"

const key = createSecretKey(randomBytes(32))
const [issuer, audience] = ["https://bank.example", "https://bank.example/api"]
const redis = createClient({ url: process.argv[2] })
redis.on("error", (error) => console.error(error.message))
await redis.connect()

async function demand(request, response, next) {
  let claims
  try {
    claims = jwt.verify(bearer(request.headers.authorization), key, { algorithms: ["HS256"], issuer, audience })
  } catch {
    return response.sendStatus(401)
  }
  if (await redis.exists(`revoked:${claims.jti}`)) return response.sendStatus(401)
  request.claims = claims
  next()
}

const app = express()

app.get("/private", demand, (request, response) => response.send(hello(request.claims.sub)))
app.get("/tokens", (request, response) => {
  const options = { algorithm: "HS256", issuer, audience, subject: "alice", jwtid: randomUUID(), expiresIn: "15m" }
  response.type("text/plain").send(jwt.sign({}, key, options))
})
app.post("/logout", demand, async (request, response) => {
  const { jti, exp } = request.claims
  await redis.set(`revoked:${jti}`, "", { expiration: { type: "EXAT", value: exp } })
  response.sendStatus(204)
})

const server = app.listen(0, "127.0.0.1", () => say(server))
endWithInput()
