// The address names what is shown, as #/panel/part/part.

// Half a surrogate pair, as an id may contain in a dead letter, cannot be in an address.
const encoded = text => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"))

export const addressOf = to => `#/${to.map(encoded).join("/")}`

export const go = to => { location.hash = addressOf(to) }

// What is typed or cut off may be malformed: then it stays as it is, and nothing has that name.
function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const route = () => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded)
