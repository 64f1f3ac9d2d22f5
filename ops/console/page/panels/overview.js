// All servers at a glance: health, the flow, the queues, the outcomes, dead letters, notifications.
import { Component } from "../vendor/preact.js"
import { brief, known } from "../errors.js"
import { atLeast, duration, estimate, NONE, number, rate, shortQueue } from "../format.js"
import { t } from "../language.js"
import { Badge, Facts, html, Link, Section, Table, Time } from "../parts.js"
import { Brake } from "./brake.js"
import { Flow } from "./flow.js"
import { LetterGroups } from "./groups.js"
import { Queues } from "./queues.js"

const OUTCOMES = ["applied", "duplicate", "outdated", "retried", "held", "parked", "dead_lettered", "given_up"]

export class Overview extends Component {
  render({ overview, config, onDone }) {
    if (!overview) return html`<p class="quiet">${t("Loading")}</p>`
    return html`
      <${Health} overview=${overview} onDone=${onDone} />
      <${Section} id="flow-title" title=${t("Flow, in the last minute")} error=${failure(overview.database)}>
        <${Flow} overview=${overview} />
      <//>
      <${Queues} broker=${overview.broker} />
      <${LetterGroups} overview=${overview} config=${config} />
      <${Notifications} database=${overview.database} />
      <${Outcomes} database=${overview.database} />`
  }
}

export const failure = part => (part.error ? { message: part.error } : null)

function Health({ overview, onDone }) {
  const { database, broker, dynamodb } = overview
  const { brake, outbox } = database
  const server = part => (part.error ? html`<${Badge} tone="bad">${known(part.error) ? t("unavailable") : brief(part.error)}<//>`
    : html`<${Badge} tone="good">${t("ok, {time}", { time: duration(part.milliseconds / 1000) })}<//>`)
  const facts = [
    [t("Database"), server(database)], [t("Broker"), server(broker)], [t("DynamoDB"), server(dynamodb)],
    [t("Dispatcher"), outbox && html`<${Badge} tone=${outbox.dispatcherIsLate ? "bad" : "good"}>${outbox.dispatcherIsLate ? t("late") : t("ok")}<//>`],
    [t("Mass-failure brake"), brake && html`<${Badge} word=${brake.brake} />`],
    [t("Held, last minute"), number(brake?.heldLately), brake?.heldLately ? "bad" : ""],
    [t("Running devices"), brake?.countedAt && html`${number(brake.runningDevices)} <span class="quiet small">${t("counted")} <${Time} at=${brake.countedAt} /></span>`],
  ]
  const said = [database, broker, dynamodb].filter(part => part.error && known(part.error))
  return html`
    <${Section} id="health-title" title=${t("Health")}>
      <${Facts} facts=${facts} />
      ${said.map(part => html`<p key=${part.error} class="bad-text" lang="en">${part.error}</p>`)}
      <${Brake} brake=${brake} onDone=${onDone} />
    <//>`
}

function Notifications({ database }) {
  const { deliveries = {}, outbox } = database
  const channels = [...new Set([...Object.keys(deliveries), ...Object.keys(outbox?.channels ?? {})])].sort()
  const count = (name, status) => {
    const { statuses = {}, estimated = [] } = deliveries[name] ?? {}
    return estimate(number(statuses[status] ?? 0), estimated.includes(status))
  }
  // Of many, the delays of the newest are read.
  const delay = (name, share) => {
    const { delaySeconds, delaysOf, statuses } = deliveries[name] ?? {}
    return delaySeconds ? estimate(duration(delaySeconds[share]), delaysOf < statuses.sent) : NONE
  }
  const waiting = (name, what) => {
    const { [what]: value = 0, more } = outbox?.channels[name] ?? {}
    return atLeast(number(value), more)
  }
  const columns = [
    { title: t("Channel"), cell: name => t(name) },
    ...["sent", "skipped", "failed"].map(status => ({ title: t(status), kind: "number", cell: name => count(name, status) })),
    { title: t("Delay p50"), kind: "number", cell: name => delay(name, "p50") },
    { title: t("Delay p99"), kind: "number", cell: name => delay(name, "p99") },
    { title: t("Pending now"), kind: "number", cell: name => waiting(name, "pending") },
    { title: t("Tried before"), kind: "number", cell: name => waiting(name, "retried") },
    { title: t("Last error"), kind: "text", cell: name => outbox?.channels[name]?.lastError ?? NONE },
  ]
  const late = outbox?.oldestNotificationSeconds ? t("Oldest unsent: {time}", { time: duration(outbox.oldestNotificationSeconds) }) : null
  return html`
    <${Section} id="notifications-title" title=${t("Notifications settled in the last five minutes")}
      aside=${html`<span class="quiet">${late}</span>`} error=${failure(database)}>
      <${Table} label=${t("Notifications settled in the last five minutes")} columns=${columns} rows=${channels} keyOf=${name => name} empty=${database.error ? t("Unknown") : t("None")} />
    <//>`
}

function Outcomes({ database }) {
  const { outcomesPerMinute: found = {}, estimated = [] } = database
  const columns = [
    { title: t("Event"), cell: name => shortQueue(name) },
    ...OUTCOMES.map(outcome => ({ title: t(outcome), kind: "number", cell: name => estimate(rate(found[name][outcome] ?? 0), estimated.includes(outcome)) })),
  ]
  return html`
    <${Section} id="outcomes-title" title=${t("Outcomes per minute")} error=${failure(database)}
      aside=${html`<${Link} to=${["message"]}>${t("Follow a message")}<//>`}>
      <${Table} label=${t("Outcomes per minute")} columns=${columns} rows=${Object.keys(found).sort()} keyOf=${name => name} empty=${database.error ? t("Unknown") : t("No event in the last minute")} />
    <//>`
}
