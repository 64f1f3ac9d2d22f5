// Makes elements in which the direction controls of a text can be read, as in the commands. A name or
// a reason could otherwise show itself, and what surrounds it, in another order.
import { h } from "./vendor/preact.js"

const DIRECTION = /\p{Bidi_Control}/gu
const LABELS = ["aria-label", "data-title", "title"]

const visible = text => text.replace(DIRECTION, found => `\\u${found.charCodeAt().toString(16).padStart(4, "0")}`)

function shown(child) {
  if (Array.isArray(child)) return child.map(shown)
  return typeof child === "string" ? visible(child) : child
}

export function element(type, props, ...children) {
  if (typeof type !== "string") return h(type, props, ...children)
  const labels = LABELS.filter(name => typeof props?.[name] === "string").map(name => [name, visible(props[name])])
  return h(type, { ...props, ...Object.fromEntries(labels) }, ...children.map(shown))
}
