// One dead letter: everything that is known of it, and an editor for its body.
import { Component } from "../vendor/preact.js"
import { operation, SLOW } from "../api.js"
import { number } from "../format.js"
import { t } from "../language.js"
import { Button, Facts, Field, html, Link, Question, Result, Time } from "../parts.js"

export class Letter extends Component {
  state = { edited: null, question: null, result: null }

  async ask() {
    const { fingerprint } = this.props
    try {
      const { takesDevices } = await operation("dead-letters.check-edit", { fingerprint, body: this.state.edited }, SLOW)
      let warning = ""
      if (takesDevices === null) warning = t("It could not be checked whether this takes devices from users.")
      else if (takesDevices.length) warning = t("It would take the device from a user who got it after the event.")
      this.setState({ question: { warning } })
    } catch (error) {
      this.setState({ result: { error } })
    }
  }

  async replay() {
    const { letter, fingerprint, onDone } = this.props
    this.setState({ question: null })
    try {
      const newId = crypto.randomUUID()
      const { notNoted } = await operation("dead-letters.edit", { fingerprint, body: this.state.edited, newId }, SLOW)
      const texts = [t("Replayed {id} as {newId}", { id: letter.id, newId }), notNoted && t("Timelines do not show this: {why}", { why: notNoted })]
      this.setState({ edited: null, result: { text: texts.filter(Boolean).join(" ") } })
      setTimeout(onDone, 1500)
    } catch (error) {
      this.setState({ result: { error } })
    }
  }

  render({ letter, editable }, { edited, question, result }) {
    const text = bodyOf(letter)
    const facts = [
      [t("Message id"), html`<code>${letter.id}</code>`], [t("Failed at"), html`<${Time} at=${letter.failedAt} />`],
      [t("First failed at"), html`<${Time} at=${letter.firstFailedAt} />`], [t("Attempts"), number(letter.attempt + 1)], [t("Replays"), number(letter.replays)],
    ]
    return html`
      <article>
        <${Facts} facts=${facts} />
        <p class="bad-text">${letter.error}</p>
        ${letter.isCut ? html`<p class="quiet">${t("It is too large for this page, which shows its beginning: scheduler-ops dead-letters show")}</p>` : null}
        <p class="buttons">${subjects(letter).map(([kind, id]) => html`<${Link} key=${kind} to=${["lookup", kind, id]}>${t("Timeline of {id}", { id })}<//>`)}</p>
        ${edited === null ? html`<pre tabindex="0" role="region" aria-label=${t("Body of {id}", { id: letter.id })}>${text}</pre>` : html`
          <${Field} label=${t("Body of {id}", { id: letter.id })}>
            <textarea rows="10" spellcheck=${false} value=${edited} onInput=${event => this.setState({ edited: event.target.value })}></textarea><//>`}
        <div class="buttons">
          ${edited === null
            ? html`<${Button} label=${t("Edit")} about=${letter.id} off=${letter.isCut || letter.bodyBase64 !== undefined || !editable} onClick=${() => this.setState({ edited: text, result: null })} />`
            : html`<${Button} main label=${t("Replay edited")} about=${letter.id} onClick=${() => this.ask()} />
                <${Button} label=${t("Cancel")} about=${letter.id} onClick=${() => this.setState({ edited: null })} />`}
        </div>
        <details><summary>${t("Headers and properties")}</summary>
          <pre tabindex="0" role="region" aria-label=${t("Headers of {id}", { id: letter.id })}>${JSON.stringify({ headers: letter.headers, properties: letter.properties }, null, 2)}</pre>
        </details>
        <${Result} result=${result} />
        ${question ? html`<${Question} title=${t("Replay {id} with another body?", { id: letter.id })} yes=${t("Replay edited")}
            onYes=${() => this.replay()} onNo=${() => this.setState({ question: null })}>
            <p>${t("It is checked, published under a new id, and then removed from the dead letters.")}</p>
            ${question.warning ? html`<p class="bad-text">${question.warning}</p>` : null}<//>` : null}
      </article>`
  }
}

function bodyOf(letter) {
  if (letter.body !== undefined) return JSON.stringify(letter.body, null, 2)
  return letter.bodyText ?? letter.bodyBase64
}

function subjects({ body }) {
  if (typeof body !== "object" || body === null) return []
  return [["user", body.userId], ["device", body.deviceId]].filter(([, id]) => typeof id === "string" && id && id.length <= 64)
}
