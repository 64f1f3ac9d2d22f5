// Numbers, times and ids as people read them; ids are never cut.
import { isChinese, locale, t } from "./language.js"

export const NONE = "–"

export const number = value => (value == null ? NONE : value.toLocaleString(locale()))

export function rate(value) {
  if (value == null) return NONE
  return value >= 10 || value === 0 ? number(Math.round(value)) : number(Math.round(value * 10) / 10)
}

// A figure of which not all is read: an estimate, or the least that it can be.
export const estimate = (text, isEstimate) => (isEstimate ? `≈ ${text}` : text)
export const atLeast = (text, more) => (more ? `≥ ${text}` : text)

const pad = value => String(value).padStart(2, "0")

// The date and the time of this computer's zone, which the header names.
export function time(iso) {
  if (!iso) return NONE
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return String(iso)
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${clock(at)}`
}

export const clock = at => `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`

export function zone() {
  const minutes = -new Date().getTimezoneOffset()
  const size = Math.abs(minutes)
  return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`
}

export function duration(seconds) {
  if (seconds == null) return NONE
  const units = isChinese() ? ["毫秒", "秒", "分钟", "小时", "天"] : ["ms", "s", "min", "h", "d"]
  if (seconds === 0) return `0 ${units[1]}`
  if (seconds < 1) return `${Math.round(seconds * 1000)} ${units[0]}`
  if (seconds < 120) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} ${units[1]}`
  if (seconds < 7200) return `${Math.round(seconds / 60)} ${units[2]}`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} ${units[3]}`
  return `${Math.round(seconds / 86_400)} ${units[4]}`
}

export const shortQueue = name => name.replace(/^scheduler\./, "")
export const word = text => (text == null || text === "" ? NONE : t(String(text)))
