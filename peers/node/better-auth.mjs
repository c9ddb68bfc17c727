// Better Auth in Express on a PostgreSQL database, whose URL is the argument, mounted as its documentation shows:
// https://better-auth.com/docs/integrations/node and https://better-auth.com/docs/adapters/postgresql.

import { createServer } from "node:http"
import { betterAuth } from "better-auth"
import { getMigrations } from "better-auth/db/migration"
import { fromNodeHeaders, toNodeHandler } from "better-auth/node"
import express from "express"
import pg from "pg"

import { endWithInput, hello, say } from "./serve.mjs"

const app = express()
const server = createServer(app)
await new Promise((listening) => server.listen(0, "127.0.0.1", listening))

const pool = new pg.Pool({ connectionString: process.argv[2] })
// Without these a connection that breaks ends the process, idle or in use: https://node-postgres.com/apis/pool#error.
const told = (error) => console.error(error.message)
pool.on("error", told)
pool.on("connect", (client) => client.on("error", told))

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${server.address().port}`,
  secret: "of this test alone, nobody else has a use for it",
  database: pool,
  emailAndPassword: { enabled: true },
})
await (await getMigrations(auth.options)).runMigrations()

app.all("/api/auth/{*any}", toNodeHandler(auth))
app.get("/private", async (request, response) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })
  if (!session) return response.sendStatus(401)
  response.send(hello(session.user.name))
})

say(server)
endWithInput()
