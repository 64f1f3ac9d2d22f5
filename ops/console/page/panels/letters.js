// Dead letters: the groups, the letters of a group, and what can be done about them.
import { operations, post } from "../api.js"
import { number, shortQueue } from "../format.js"
import { t } from "../language.js"
import { Panel } from "../panel.js"
import { Button, html, Link, Question, Result, Section } from "../parts.js"
import { depthOf, groupsChanged, GroupTable, readGroups } from "./groups.js"
import { Letter } from "./letter.js"

const SLOW = { timeout: 150_000 }
const UNLIMITED = { timeout: null } // one request, in which the server makes all calls: for 100,000 letters five minutes

export class Letters extends Panel {
  every = 2000

  // Letters keep their elements by their fingerprints, so an open editor survives.
  load() {
    return readGroups(depthOf(this.props.overview))
  }

  async ask(group, verb) {
    let warning = ""
    if (verb === "replay") {
      let takesDevices = []
      await operations("dead-letters.check", selection(group), part => {
        takesDevices = takesDevices && part.takesDevices && [...takesDevices, ...part.takesDevices]
      }, SLOW)
      if (takesDevices === null) warning = t("It could not be checked whether this takes devices from users.")
      else if (takesDevices.length) warning = t("{count} of them would take a device from a user who got it after the event.", { count: number(takesDevices.length) })
    }
    this.setState({ question: { group, verb, warning, at: new Date().toISOString() } })
  }

  askSafely = (group, verb) => this.ask(group, verb).catch(error => this.setState({ result: { error } }))

  answer({ group, verb, at }) {
    this.setState({ question: null })
    return this.act(async () => {
      try {
        return verb === "replay" ? await this.replay(group) : await this.discard(group, at)
      } finally {
        groupsChanged()
      }
    })
  }

  async replay(group) {
    let last
    await operations("dead-letters.replay", selection(group), part => {
      last = part
      this.setState({ result: { text: t("Replayed {count}", { count: number(part.replayed) }) } })
    }, SLOW)
    const refused = last.refused.map(one => `${one.reason}: ${number(one.count)}`).join("; ")
    const done = t("Replayed {count} of {matched}. {refused}", { count: number(last.replayed), matched: number(last.matched), refused })
    return last.held ? `${done} ${t("Another program holds {count} of the letters; replay again.", { count: number(last.held) })}` : done
  }

  async discard(group, until) {
    const { discarded, file } = await post("console/discard", { selection: selection(group), until }, UNLIMITED)
    if (!discarded) return t("Nothing was discarded: the letters are no longer there.")
    return t("Discarded {count}; the copies are in {file}", { count: number(discarded), file })
  }

  render({ overview, path }, { data, error, result, question }) {
    const total = depthOf(overview)
    const actions = [[t("Replay"), group => this.askSafely(group, "replay")], [t("Discard"), group => this.askSafely(group, "discard")]]
    return html`
      <${Section} id="groups-title" title=${t("Dead letters")} error=${error}
        aside=${html`<span class=${total ? "bad-text" : "quiet"}>${t("{total} in the queue", { total: number(total) })}</span>
          <${Button} label=${t("Read again")} about=${t("Dead letters")} onClick=${() => { groupsChanged(); this.reload() }} />`}>
        ${data?.reading ? html`<p class="quiet">${t("Reading the letters")}</p>` : null}
        <${GroupTable} groups=${data?.groups ?? []} reading=${!data || data.reading} error=${!data && error} actions=${actions} />
        <${Result} result=${result} />
      <//>
      ${path.length ? this.group(path, data) : null}
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
          fingerprint=${group.fingerprints[index]} onDone=${done} />`)}
      <//>`
  }
}

// The letters of a group share its queue and its cause: the error without numbers and ids.
const selection = ({ queue, cause }) => ({ queues: [queue], cause })

const Ask = ({ question: { group, verb, warning }, onYes, onNo }) => html`
  <${Question} title=${verb === "replay" ? t("Replay {count} letters?", { count: number(group.count) }) : t("Discard {count} letters?", { count: number(group.count) })}
    yes=${verb === "replay" ? t("Replay") : t("Discard")} danger=${verb === "discard"} onYes=${onYes} onNo=${onNo}>
    <p>${shortQueue(group.queue)}</p>
    <p>${group.error}</p>
    ${warning ? html`<p class="bad-text">${warning}</p>` : null}
    ${verb === "discard" ? html`<p>${t("Copies are stored in a file on the console's machine, from which they can be replayed.")}</p>` : null}
  <//>`
