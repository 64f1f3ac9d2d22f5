// The decision about an engaged brake: release what it holds, or apply the limit again.
import { Component } from "../vendor/preact.js"
import { operation, SLOW } from "../api.js"
import { number, time } from "../format.js"
import { t } from "../language.js"
import { Button, html, Question, Result } from "../parts.js"

const SECONDS = 3600

// What can be decided, by the state of the brake.
const DECISIONS = { engaged: ["release", "arm"], open: ["arm"] }
const LABELS = { release: () => t("Allow all releases for an hour"), arm: () => t("Apply the limit again") }
const QUESTIONS = { release: () => t("Allow all releases for an hour?"), arm: () => t("Apply the limit again?") }

export class Brake extends Component {
  state = { question: null, result: null, busy: false }

  async decide(decision) {
    this.setState({ question: null, result: null, busy: true })
    try {
      const found = await operation(`brake.${decision}`, decision === "release" ? { seconds: SECONDS } : {}, SLOW)
      const text = found.openUntil ? t("All releases are allowed until {time}.", { time: time(found.openUntil) }) : t("The limit applies again.")
      this.setState({ result: { text } })
    } catch (error) {
      this.setState({ result: { error } })
    }
    await this.props.onDone()
    this.setState({ busy: false })
  }

  render({ brake }, { question, result, busy }) {
    const ask = decision => html`<${Button} key=${decision} label=${LABELS[decision]()} off=${busy} onClick=${() => this.setState({ question: decision })} />`
    return html`
      ${brake?.brake === "engaged" ? html`<p class="bad-text">${t("Releases wait until an operator decides whether the failures are real.")}</p>` : null}
      ${brake?.brake === "open" ? html`<p>${t("All releases are allowed until {time}.", { time: time(brake.openUntil) })}</p>` : null}
      ${brake && DECISIONS[brake.brake] ? html`<div class="buttons" role="group" aria-label=${t("Mass-failure brake")}>${DECISIONS[brake.brake].map(ask)}</div>` : null}
      <${Result} result=${result} />
      ${question ? html`<${Ask} decision=${question} brake=${brake} onYes=${() => this.decide(question)} onNo=${() => this.setState({ question: null })} />` : null}`
  }
}

const Ask = ({ decision, brake, onYes, onNo }) => html`
  <${Question} title=${QUESTIONS[decision]()} yes=${LABELS[decision]()} danger=${decision === "release"} onYes=${onYes} onNo=${onNo}>
    <p>${t("Held in the last minute: {count}", { count: number(brake?.heldLately) })}</p>
    <p>${decision === "release"
      ? t("Do this if the devices have really failed. The held messages take them from their users within a minute, and the limit does not apply for an hour.")
      : t("If the reports were false, first have the devices reported as running. Messages that are still held are applied, up to the limit.")}</p>
  <//>`
