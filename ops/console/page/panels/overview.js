// All servers at a glance: health, the flow, the queues, the outcomes, dead letters, notifications.
import { Component } from "../vendor/preact.js"
import { atLeast, duration, estimate, NONE, number, rate, shortQueue, time } from "../format.js"
import { t } from "../language.js"
import { Badge, Facts, html, Link, Section, Table } from "../parts.js"
import { Flow } from "./flow.js"
import { LetterGroups } from "./groups.js"
import { Queues } from "./queues.js"

const OUTCOMES = ["applied", "duplicate", "outdated", "retried", "held", "parked", "dead_lettered", "given_up"]

export class Overview extends Component {
  render({ overview, config }) {
    if (!overview) return html`<p class="quiet">${t("Loading")}</p>`
    return html`
      <${Health} overview=${overview} />
      <${Section} id="flow-title" title=${t("Flow, in the last minute")} error=${failure(overview.database)}>
        <${Flow} overview=${overview} />
      <//>
      <${Queues} broker=${overview.broker} />
      <div class="columns">
        <${LetterGroups} overview=${overview} config=${config} />
        <${Notifications} database=${overview.database} />
      </div>
      <${Outcomes} database=${overview.database} />`
  }
}

export const failure = part => (part.error ? { message: part.error } : null)

function Health({ overview }) {
  const { database, broker, dynamodb } = overview
  const { brake, outbox } = database
  const server = part => (part.error ? html`<${Badge} tone="bad">${part.error}<//>`
    : html`<${Badge} tone="good">${t("ok, {time}", { time: duration(part.milliseconds / 1000) })}<//>`)
  const facts = [
    [t("Database"), server(database)], [t("Broker"), server(broker)], [t("DynamoDB"), server(dynamodb)],
    [t("Dispatcher"), outbox && html`<${Badge} tone=${outbox.dispatcherIsLate ? "bad" : "good"}>${outbox.dispatcherIsLate ? t("late") : t("ok")}<//>`],
    [t("Mass-failure brake"), brake && html`<${Badge} word=${brake.brake} />`],
    [t("Held by the brake, last minute"), number(brake?.heldLately), brake?.heldLately ? "bad" : ""],
    [t("Running devices"), brake && html`<span title=${t("counted {time}", { time: time(brake.countedAt) })}>${number(brake.countedAt && brake.runningDevices)}</span>`],
    [t("Looked at"), time(overview.at)],
  ]
  return html`<${Section} id="health-title" title=${t("Health")}><${Facts} facts=${facts} /><//>`
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
    { title: t("Channel"), cell: name => name },
    ...["sent", "skipped", "failed"].map(status => ({ title: t(status), number: true, cell: name => count(name, status) })),
    { title: t("Delay p50"), number: true, cell: name => delay(name, "p50") },
    { title: t("Delay p99"), number: true, cell: name => delay(name, "p99") },
    { title: t("Pending now"), number: true, cell: name => waiting(name, "pending") },
    { title: t("Tried before"), number: true, cell: name => waiting(name, "retried") },
    { title: t("Last error"), cell: name => outbox?.channels[name]?.lastError ?? NONE },
  ]
  const late = outbox && t("Oldest unsent: {time}", { time: duration(outbox.oldestNotificationSeconds) })
  return html`
    <${Section} id="notifications-title" title=${t("Notifications settled in the last five minutes")}
      aside=${html`<span class="quiet">${late}</span>`} error=${failure(database)}>
      <${Table} label=${t("Notifications settled in the last five minutes")} columns=${columns} rows=${channels} keyOf=${name => name} empty=${t("None")} />
    <//>`
}

function Outcomes({ database }) {
  const { outcomesPerMinute: found = {}, estimated = [] } = database
  const columns = [
    { title: t("Event"), cell: name => shortQueue(name) },
    ...OUTCOMES.map(outcome => ({ title: t(outcome), number: true, cell: name => estimate(rate(found[name][outcome] ?? 0), estimated.includes(outcome)) })),
  ]
  return html`
    <${Section} id="outcomes-title" title=${t("Outcomes per minute")} error=${failure(database)}
      aside=${html`<${Link} to=${["message"]}>${t("Follow a message")}<//>`}>
      <${Table} label=${t("Outcomes per minute")} columns=${columns} rows=${Object.keys(found).sort()} keyOf=${name => name} empty=${t("No event in the last minute")} />
    <//>`
}
