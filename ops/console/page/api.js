// Calls the console's server; every request has the token of the page's address.

import { t } from "./language.js"

const TOKEN = "console-token"

// The token is taken out of the address, so that it is neither seen nor copied with it.
export function takeToken() {
  const given = /^#token=([\w-]+)$/.exec(location.hash)
  if (!given) return
  sessionStorage.setItem(TOKEN, given[1])
  history.replaceState(null, "", location.pathname)
}

// For changes: the server answers or fails earlier, so that it is known what was done.
export const SLOW = { timeout: 150_000 }

export class CallError extends Error {
  constructor(message, status) {
    super(message)
    this.status = status
  }
}

// Without a limit if `timeout` is null.
async function call(path, { timeout = 10_000, body, ...options } = {}) {
  const headers = { "x-console-token": sessionStorage.getItem(TOKEN) ?? "" }
  if (body !== undefined) {
    headers["content-type"] = "application/json"
    options = { method: "POST", body: JSON.stringify(body), ...options }
  }
  let response
  try {
    response = await fetch(path, { ...options, headers, signal: timeout === null ? null : AbortSignal.timeout(timeout) })
  } catch (error) {
    throw new CallError(error.name === "TimeoutError" ? `no answer within ${timeout / 1000} s` : t("the console's server does not answer"))
  }
  const text = await response.text()
  let found = text
  try {
    found = text ? JSON.parse(text) : null
  } catch { /* an error page of a proxy */ }
  if (response.ok) return found
  const error = found?.error
  throw new CallError(error?.message ?? error ?? found?.message ?? `HTTP ${response.status}`, response.status)
}

export const get = (path, options) => call(path, options)
export const post = (path, body, options) => call(path, { ...options, body })
export const operation = (name, body = {}, options) => call(`console/operations/${name}`, { ...options, body })

// A result with `next` names the arguments of the call that continues; `onPart` sees each result.
export async function operations(name, body, onPart, options) {
  for (let next = {}; next;) {
    const part = await operation(name, { ...body, ...next }, options)
    onPart(part)
    next = part.next
  }
}
