// Follows one message through the flow, until the user's frame has arrived.
import { operation } from "../api.js"
import { duration, time } from "../format.js"
import { locale, t } from "../language.js"
import { Panel } from "../panel.js"
import { Field, html, Section } from "../parts.js"
import { go } from "../route.js"
import { Entries } from "./entries.js"
import { Flow } from "./flow.js"

export class Message extends Panel {
  every = this.props.config.isLocal ? 1000 : 3000
  state = { id: this.props.path[0] ?? "" }

  componentDidUpdate(before) {
    super.componentDidUpdate(before)
    const [id] = this.props.path
    if (id && id !== before.path[0]) this.setState({ id, data: null })
  }

  async load() {
    const [id] = this.props.path
    if (!id) return null
    const { data } = this.state
    if (data?.id === id && stepsOf(data).ended && data.language === locale()) return data
    return { ...(await operation("message", { id, language: locale() })), language: locale() }
  }

  search = event => {
    event.preventDefault()
    go(["message", this.state.id.trim()])
  }

  render({ overview, path }, { id, data, error }) {
    const followed = data && stepsOf(data)
    return html`
      <${Section} id="message-title" title=${t("Follow a message")} error=${error}>
        <form class="row" onSubmit=${this.search}>
          <${Field} label=${t("Message id")}><input class="wide" value=${id} required maxlength="128" autocomplete="off" onInput=${event => this.setState({ id: event.target.value })} /><//>
          <button class="main">${t("Follow")}</button>
        </form>
        ${followed ? html`<p role="status" class=${followed.tone}>${followed.text}</p>` : null}
        ${overview ? html`<${Flow} overview=${overview} followed=${followed} />` : null}
      <//>
      ${data && path[0] ? html`
        <${Section} id="effects-title" title=${t("What became of it")}>
          <${Entries} entries=${[...data.received, ...data.effects]} />
          ${data.received.length ? null : html`<p class="quiet">${t("No function has received it yet: it waits in its queue, or the id is wrong.")}</p>`}
          ${data.complete === false ? html`<p class="bad-text">${t("So much happened to this user or device since that not all is shown.")}</p>` : null}
        <//>` : null}`
  }
}

// Which steps of the flow a message has reached, and when.
export function stepsOf({ received, effects }) {
  const of = kind => effects.filter(one => one.kind === kind)
  const [first] = received
  const last = received.at(-1)
  const deliveries = of("notification").flatMap(one => one.deliveries)
  const sent = deliveries.filter(one => one.status === "sent")
  const frame = sent.find(one => one.channel === "websocket")
  const pending = deliveries.some(one => one.status === "pending")
  const retried = last && ["retried", "held", "parked"].includes(last.outcome)
  const again = last?.outcome === "replayed"
  const at = entry => entry && time(entry.at)
  const told = () => {
    if (!first) return ["quiet-text", t("Published; not received yet")]
    if (retried) return ["bad-text", t("It waits for its next attempt")]
    if (last.outcome === "discarded") return ["quiet-text", t("An operator discarded it")]
    if (last.outcome === "edited") return ["quiet-text", t("An operator replayed it with another body: {detail}", { detail: last.detail })]
    if (last.outcome === "replayed") return ["quiet-text", t("An operator replayed it; it is in its queue again")]
    if (last.outcome === "dead_lettered") return ["bad-text", t("It is a dead letter")]
    if (frame) return ["good-text", t("The user's frame has arrived, {time} after the function received the event", { time: duration((new Date(frame.at) - new Date(first.at)) / 1000) })]
    if (pending) return ["quiet-text", t("The notification is on its way")]
    if (deliveries.length) return ["good-text", t("The notification is in the inbox; no app of the user is connected")]
    return ["good-text", t("Settled; nobody is notified")]
  }
  const [tone, text] = told()
  return {
    tone, text, ended: Boolean(first) && !retried && !again && !pending,
    family: first?.action.split(".")[0],
    outcomes: received.map(one => one.outcome),
    changes: of("allocation").map(one => (one.action === "expired" ? "released" : one.action)),
    channels: sent.map(one => one.channel),
    steps: {
      published: first && "✓", queued: first && "✓", received: at(first), settled: at(last),
      changed: at(of("allocation")[0]), notified: at(frame ?? sent[0] ?? of("notification")[0]),
    },
  }
}
