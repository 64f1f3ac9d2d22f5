// The queues of all events, with what the page has seen of them since it was opened.
import { duration, number, rate, shortQueue } from "../format.js"
import { t } from "../language.js"
import { Badge, html, Section, Table } from "../parts.js"
import { ageOf, isMeasured, isStuck, samplesOf, workQueues } from "../samples.js"
import { Sparkline } from "./sparkline.js"

export function Queues({ broker }) {
  const queues = broker.queues ?? {}
  const names = workQueues(queues)
  const spark = (name, what, label) => html`<${Sparkline} values=${samplesOf(name, what)} label=${`${shortQueue(name)}, ${label}`} />`
  const rateOf = (name, what) => rate(isMeasured(queues[name]) ? (queues[name][what] ?? 0) : null)
  // On a phone, nothing else is shown of such a queue.
  const isIdle = name => isMeasured(queues[name]) && !queues[`${name}.retry`]?.ready
    && ["ready", "unacked", "publishRate", "ackRate"].every(what => !queues[name][what])
  const columns = [
    { title: t("Queue"), kind: "id", cell: name => html`${shortQueue(name)}${queues[name] ? null : html` <${Badge} word="missing" />`}${isStuck(name) ? html` <${Badge} tone="bad">${t("stuck")}<//>` : null}${isIdle(name) ? html` <span class="idle quiet">${t("idle")}</span>` : null}` },
    { title: t("Waiting"), kind: "number", cell: name => number(queues[name]?.ready) },
    { title: t("In work"), kind: "number", cell: name => number(queues[name]?.unacked) },
    { title: t("To retry"), kind: "number", cell: name => number(queues[`${name}.retry`]?.ready) },
    { title: t("In/s"), kind: "number", cell: name => rateOf(name, "publishRate") },
    { title: t("Done/s"), kind: "number", cell: name => rateOf(name, "ackRate") },
    { title: t("Not empty for"), kind: "number", cell: name => duration(ageOf(name) || null) },
    { title: t("Depth"), kind: "curve", cell: name => spark(name, "depth", t("Depth")) },
    { title: t("Rate"), kind: "curve", cell: name => spark(name, "rate", t("Rate")) },
    { title: t("Age"), kind: "curve", cell: name => spark(name, "age", t("Age")) },
  ]
  const total = what => names.reduce((sum, name) => sum + (queues[what(name)]?.ready ?? 0), 0)
  const aside = html`<span class="quiet">${t("{waiting} wait, {retry} wait for a retry", {
    waiting: number(total(name => name)), retry: number(total(name => `${name}.retry`)),
  })}</span>`
  return html`
    <${Section} id="queues-title" title=${t("Queues")} aside=${aside} error=${broker.error ? { message: broker.error } : null}>
      <${Table} label=${t("Queues")} columns=${columns} rows=${names} keyOf=${name => name}
        rowClass=${name => (isStuck(name) || !queues[name] ? "bad" : isIdle(name) ? "idle-row" : "")} empty=${t("Unknown")} />
    <//>`
}
