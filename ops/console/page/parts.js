// The parts of which panels are made. Text from the server is inserted as text, never as markup.
import { createRef, Component } from "./vendor/preact.js"
import htm from "./vendor/htm.js"
import { brief } from "./errors.js"
import { time } from "./format.js"
import { t } from "./language.js"
import { addressOf } from "./route.js"
import { element } from "./visible.js"

export const html = htm.bind(element)

const TONES = {
  good: ["active", "applied", "armed", "available", "ok", "published", "ready", "running", "sent", "success"],
  busy: ["ALLOCATED", "RESERVED", "STARTED", "WAITING", "allocated", "open", "pending", "waiting"],
  warn: ["held", "parked", "maintenance", "outdated", "retried", "stopped", "late"],
  bad: ["FAILED", "dead_lettered", "engaged", "error", "failed", "given_up", "missing", "suspended", "unknown"],
}
const TONE = Object.fromEntries(Object.entries(TONES).flatMap(([tone, words]) => words.map(word => [word, tone])))

export const Badge = ({ word, tone, children }) =>
  html`<span class="badge ${tone ?? TONE[word] ?? ""}">${children ?? t(String(word))}</span>`

export const Time = ({ at }) => (at ? html`<time dateTime=${at} title=${at}>${time(at)}</time>` : "–")

// `about` completes what a button says for those who do not see its row. One that cannot be pressed
// now keeps the focus, which it would lose by `disabled`.
export const Button = ({ label, about, main, off, onClick, type = "button" }) =>
  html`<button type=${type} class=${main ? "main" : ""} aria-label=${about ? `${label}: ${about}` : undefined} aria-disabled=${off ? "true" : undefined}
    onClick=${event => (off ? event.preventDefault() : onClick?.(event))}>${label}</button>`

export const Link = ({ to, children, about }) =>
  html`<a href=${addressOf(to)} aria-label=${about}>${children}</a>`

export const Section = ({ id, title, aside, error, children }) => html`
  <section aria-labelledby=${id} data-panel=${id}>
    <div class="title"><h2 id=${id}>${title}</h2>${aside}</div>
    <p class="stale" role="status">${error ? t("Not up to date: {error}", { error: brief(error.message) }) : ""}</p>
    ${children}
  </section>`

// Shows a section that was opened, also to those who do not see where the page scrolls.
export function focusHeading(id) {
  const heading = document.getElementById(id)
  heading.tabIndex = -1
  heading.scrollIntoView()
  heading.focus({ preventScroll: true })
}

// A column is {title, kind, cell(row)}; its kind says how much room it needs. Rows keep their
// elements, and so focus and selection.
export const Table = ({ label, columns, rows, keyOf, empty, rowClass }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead><tr>${columns.map(one => html`<th key=${one.title} scope="col" class=${one.kind ?? ""}>${one.title}</th>`)}</tr></thead>
      <tbody>
        ${rows.map(row => html`<tr key=${keyOf(row)} class=${rowClass?.(row) ?? ""}>
          ${columns.map(one => html`<td key=${one.title} data-title=${one.title} class=${one.kind ?? ""}>${one.cell(row) ?? "–"}</td>`)}</tr>`)}
        ${rows.length ? null : html`<tr key="-empty"><td class="quiet" colspan=${columns.length}>${empty}</td></tr>`}
      </tbody>
    </table>
  </div>`

export const Facts = ({ facts }) => html`
  <dl class="facts">${facts.map(([name, value, tone]) => html`
    <div key=${name} class=${tone ?? ""}><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`)}</dl>`

export const Field = ({ label, children }) => html`<label>${label}${children}</label>`

export function Choice({ label, value, options, onChange }) {
  return html`<${Field} label=${label}><select value=${value} onChange=${event => onChange(event.target.value)}>
    ${options.map(([option, text]) => html`<option key=${option} value=${option} selected=${option === value}>${text}</option>`)}
  </select></${Field}>`
}

// What a table says that has no rows: nothing is known yet, or at all, or there are none.
export const noRows = ({ data, error }, none) => (data ? none : error ? t("Unknown") : t("Loading"))

// The result of an action is announced once, and shown, as it may be below a long table. It takes the
// focus when the button goes with its row.
export class Result extends Component {
  output = createRef()
  button = null

  componentDidUpdate(before) {
    if (before.result !== this.props.result) {
      this.button = this.props.result && document.activeElement
      if (this.button?.closest("section")?.contains(this.output.current)) this.output.current.scrollIntoView({ block: "nearest" })
    }
    if (this.button && !this.button.isConnected) {
      this.button = null
      this.output.current.focus()
    }
  }

  render({ result }) {
    return html`<output ref=${this.output} tabindex="-1" class=${result ? (result.error ? "bad" : "good") : ""} role="status">
      ${result ? (result.error ? brief(result.error.message) : result.text) : ""}</output>`
  }
}

// A question that must be answered before anything is changed; the dialog keeps the focus.
export class Question extends Component {
  dialog = createRef()

  componentDidMount() {
    this.dialog.current.showModal()
  }

  // Closing gives the focus back to the button that asked.
  confirm = () => {
    this.dialog.current.close()
    this.props.onYes()
  }

  render({ title, children, yes, danger, onNo }) {
    return html`<dialog ref=${this.dialog} aria-labelledby="question" onClose=${onNo}>
      <h2 id="question">${title}</h2>
      ${children}
      <div class="buttons">
        <button type="button" onClick=${() => this.dialog.current.close()}>${t("Cancel")}</button>
        <button type="button" class=${danger ? "main danger" : "main"} onClick=${this.confirm}>${yes}</button>
      </div>
    </dialog>`
  }
}
