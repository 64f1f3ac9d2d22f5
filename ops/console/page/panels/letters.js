// Dead letters: the groups, the letters of a group, and what can be done about them.
import { Component } from "../vendor/preact.js"
import { get, operations, post, SLOW } from "../api.js"
import { number, shortQueue } from "../format.js"
import { t } from "../language.js"
import { Panel } from "../panel.js"
import { Button, Choice, focusHeading, html, Link, Question, Result, Section } from "../parts.js"
import { workQueues } from "../samples.js"
import { depthOf, groupsChanged, GroupTable, hasWorkQueue, readGroups } from "./groups.js"
import { Letter } from "./letter.js"
import { isRunning, resultOf, Work } from "./work.js"

export class Letters extends Panel {
  every = 2000
  #busy = false
  #told = null

  // The letters of a group are below all groups.
  componentDidUpdate(before) {
    super.componentDidUpdate(before)
    const opened = this.props.path.length && this.props.path.join("/") !== before.path.join("/")
    if (opened) focusHeading("letters-of-group")
  }

  // Letters keep their elements by their fingerprints, so an open editor survives.
  async load() {
    const work = await get("console/letters")
    if (this.#busy && !isRunning(work)) groupsChanged()
    if (work.endedAt !== this.#told) { // before the groups, so that it takes the focus of a row that goes
      this.#told = work.endedAt
      this.setState({ result: resultOf(work) })
    }
    this.#busy = isRunning(work)
    this.every = this.#busy ? 500 : 2000
    const { data } = this.state
    return { ...(this.#busy && data ? data : await readGroups(depthOf(this.props.overview))), work }
  }

  async ask(group, verb, to) {
    if (verb === "replay" && !to && !hasWorkQueue(group)) return this.setState({ question: null, addressed: group })
    let warning = ""
    let { at } = this.state.data // when the letters were read: later ones were not seen
    if (verb === "replay") {
      let takesDevices = []
      at = null
      await operations("dead-letters.check", { ...selection(group), to }, part => {
        at ??= part.at // later letters were not checked
        takesDevices = takesDevices && part.takesDevices && [...takesDevices, ...part.takesDevices]
      }, SLOW)
      if (takesDevices === null) warning = t("It could not be checked whether this takes devices from users.")
      else if (takesDevices.length) warning = t("{count} of them would take a device from a user who got it after the event.", { count: number(takesDevices.length) })
    }
    this.setState({ question: { group, verb, warning, at, to } })
  }

  askSafely = (group, verb, to) => this.ask(group, verb, to).catch(error => this.setState({ result: { error } }))

  async answer({ group, verb, at, to }) {
    this.setState({ question: null, result: null, stopping: false })
    try {
      await post("console/letters/begin", { verb, selection: selection(group), until: at, expected: group.count, to })
      this.#busy = true // it may have ended before the next look
    } catch (error) {
      this.setState({ result: { error } })
    }
    await this.reload()
  }

  // After the call that is under way.
  async stop() {
    this.setState({ stopping: true })
    try {
      await post("console/letters/stop", {})
    } catch (error) {
      this.setState({ stopping: false, result: { error } })
    }
  }

  // Closing the dialog leaves no queue chosen.
  address(group, to) {
    this.setState({ addressed: null })
    return this.askSafely(group, "replay", to)
  }

  render({ overview, path }, { data, error, result, question, addressed, stopping }) {
    const total = depthOf(overview)
    const actions = [[t("Replay"), group => this.askSafely(group, "replay")], [t("Discard"), group => this.askSafely(group, "discard")]]
    return html`
      <${Section} id="groups-title" title=${t("Dead letters")} error=${error}
        aside=${html`<span class=${total ? "bad-text" : "quiet"}>${t("{total} in the queue", { total: number(total) })}</span>
          <${Button} label=${t("Read again")} about=${t("Dead letters")} onClick=${() => { groupsChanged(); this.reload() }} />`}>
        ${data?.reading ? html`<p class="quiet">${t("Reading the letters")}</p>` : null}
        <${GroupTable} groups=${data?.groups ?? []} reading=${!data || data.reading} error=${!data && error} actions=${actions} />
        <${Work} work=${data?.work} stopping=${stopping} onStop=${() => this.stop()} />
        <${Result} result=${result} />
      <//>
      ${path.length ? this.group(path, data) : null}
      ${addressed ? html`<${Address} group=${addressed} queues=${workQueues(overview?.broker.queues)}
        onYes=${to => this.address(addressed, to)} onNo=${() => this.setState({ addressed: null })} />` : null}
      ${question ? html`<${Ask} question=${question} onYes=${() => this.answer(question)} onNo=${() => this.setState({ question: null })} />` : null}`
  }

  group([queue, cause], data) {
    const group = data?.groups.find(one => one.queue === queue && one.cause === cause)
    const done = () => { groupsChanged(); return this.reload() }
    return html`
      <${Section} id="letters-of-group" title=${t("Letters of {queue}", { queue: shortQueue(queue) })}
        aside=${html`<${Link} to=${["letters"]}>${t("Close")}<//>`}>
        <p class="bad-text">${cause}</p>
        <p class="quiet">${group ? t("{shown} of {matched} letters, the oldest first", { shown: number(group.letters.length), matched: number(group.count) })
          : data && !data.reading ? t("No dead letters") : t("Loading")}</p>
        ${group?.letters.map((letter, index) => html`<${Letter} key=${group.fingerprints[index]} letter=${letter}
          fingerprint=${group.fingerprints[index]} editable=${hasWorkQueue(group)} onDone=${done} />`)}
      <//>`
  }
}

// The letters of a group share its queue and its cause: the error without numbers and ids.
const selection = ({ queue, cause }) => ({ queues: [queue], cause })

// Letters that come from no work queue are replayed to one that the operator chooses.
class Address extends Component {
  state = { to: this.props.queues[0] }

  render({ group, queues, onYes, onNo }, { to }) {
    return html`
      <${Question} title=${t("Replay this group of {count} to which queue?", { count: number(group.count) })} yes=${t("Continue")} onYes=${() => onYes(to)} onNo=${onNo}>
        <p>${t("{queue} is not a work queue: others have put these letters here. Choose the queue of their event, or discard them.", { queue: group.queue })}</p>
        <${Choice} label=${t("Queue")} value=${to} options=${queues.map(name => [name, shortQueue(name)])} onChange=${value => this.setState({ to: value })} />
      <//>`
  }
}

const Ask = ({ question: { group, verb, warning, to }, onYes, onNo }) => html`
  <${Question} title=${verb === "replay" ? t("Replay this group of {count}?", { count: number(group.count) }) : t("Discard this group of {count}?", { count: number(group.count) })}
    yes=${verb === "replay" ? t("Replay") : t("Discard")} danger=${verb === "discard"} onYes=${onYes} onNo=${onNo}>
    <p>${shortQueue(group.queue)}${to ? ` → ${shortQueue(to)}` : ""}</p>
    <p>${group.error}</p>
    ${warning ? html`<p class="bad-text">${warning}</p>` : null}
    ${verb === "discard" ? html`<p>${t("Copies are stored in a file on the console's machine, from which they can be replayed.")}</p>` : null}
  <//>`
