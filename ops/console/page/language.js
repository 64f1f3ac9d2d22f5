// English is in the modules; Chinese is looked up by it.
import { CHINESE } from "./chinese.js"

// Words of the data that are not English words.
const ENGLISH = {
  dead_lettered: "dead-lettered", given_up: "given up", email: "e-mail", websocket: "WebSocket", sms: "SMS",
  ALLOCATED: "allocated", CANCELLED: "cancelled", EXPIRED: "expired", FAILED: "failed", RELEASED: "released",
  REMOVED: "removed", RESERVED: "reserved", SERVED: "served", STARTED: "started", WAITING: "waiting",
}
const KEY = "language"
let chinese = (localStorage.getItem(KEY) ?? navigator.language).startsWith("zh")

export const isChinese = () => chinese
export const locale = () => (chinese ? "zh-CN" : "en")

export function changeLanguage() {
  chinese = !chinese
  localStorage.setItem(KEY, locale())
  markLanguage()
}

export function markLanguage() {
  document.documentElement.lang = locale()
  document.title = `CloudPhone Scheduler – ${t("console")}`
}

// t("Page {page}", { page: 3 }): values take the places of their names.
export function t(text, values = {}) {
  const found = (chinese ? CHINESE : ENGLISH)[text] ?? text
  return found.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name] ?? "–") : place))
}
