// What every peer here does: it prints its address and ends with its standard input.

export function say(server) {
  const { address, port } = server.address()
  console.log(`${address}:${port}`)
}

export function endWithInput() {
  process.stdin.on("end", () => process.exit()).resume()
}

export function hello(name) {
  return `Hello ${name}, you have 42 EUR.`
}

export function bearer(authorization = "") {
  return authorization.startsWith("Bearer ") ? authorization.slice("Bearer ".length) : ""
}
