// What happened to a user or a device, and the next step.
import { operation } from "../api.js"
import { locale, t } from "../language.js"
import { Panel } from "../panel.js"
import { Choice, Field, html, Link, Section } from "../parts.js"
import { go } from "../route.js"
import { Entries } from "./entries.js"

const HOUR = 3_600_000
const SPANS = [["1", "hour"], ["24", "day"], ["168", "week"], ["720", "30 days"]]

export class LookUp extends Panel {
  state = { kind: this.props.path[0] ?? "user", id: this.props.path[1] ?? "", hours: "24" }

  componentDidUpdate(before) {
    super.componentDidUpdate(before)
    const [kind, id] = this.props.path
    if (id && before.path.join("/") !== this.props.path.join("/")) this.setState({ kind, id })
  }

  async load() {
    const [kind, id] = this.props.path
    if (!id) return null
    const end = new Date()
    const start = new Date(end - Number(this.state.hours) * HOUR)
    return operation("timeline", { kind, id, start: start.toISOString(), end: end.toISOString(), language: locale() })
  }

  search = event => {
    event.preventDefault()
    const { kind, id } = this.state
    go(["lookup", kind, id.trim()])
  }

  render({ path }, { kind, id, hours, data, error }) {
    const entries = [...(data?.entries ?? [])].reverse()
    return html`
      <${Section} id="lookup-title" title=${t("What happened to a user or a device")} error=${error}>
        <form class="row" onSubmit=${this.search}>
          <${Choice} label=${t("Kind")} value=${kind} onChange=${value => this.setState({ kind: value })} options=${[["user", t("User")], ["device", t("Device")]]} />
          <${Field} label=${t("Id")}><input value=${id} required maxlength="64" autocomplete="off" onInput=${event => this.setState({ id: event.target.value })} /><//>
          <${Choice} label=${t("In the last")} value=${hours} onChange=${value => this.setState({ hours: value }, () => this.reload())}
            options=${SPANS.map(([value, name]) => [value, t(name)])} />
          <button class="main">${t("Look up")}</button>
        </form>
      <//>
      ${data ? html`
        <${Section} id="timeline-title" title=${t("Timeline of {id}", { id: data.id })}
          aside=${data.kind === "user" ? html`<${Link} to=${["users", data.id]}>${t("Show the user")}<//>` : null}>
          <p class=${data.nextStep ? "bad-text" : "good-text"}>${data.nextStep ? t("Next: {step}", { step: data.nextStep }) : entries.length ? t("Nothing to do: every message is settled and every notification was delivered.") : ""}</p>
          ${data.complete ? null : html`<p class="bad-text">${t("There is more than is shown; choose a shorter time.")}</p>`}
          ${entries.length ? html`<${Entries} entries=${entries} />` : html`<p class="quiet">${t("Nothing happened. Is the id right?")}</p>`}
        <//>` : path[1] && !error ? html`<p class="quiet">${t("Loading")}</p>` : null}`
  }
}
