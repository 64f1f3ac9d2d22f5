// Dead letters by group. Reading takes them out of the queue and puts them back, so they are read
// only when their number has changed, once a minute, or when somebody has changed them.
import { operation } from "../api.js"
import { number, shortQueue } from "../format.js"
import { t } from "../language.js"
import { Panel } from "../panel.js"
import { Badge, Button, html, Link, Section, Table, Time } from "../parts.js"

export const QUEUE = "scheduler.dead-letters"
const MAX_AGE_MS = 60_000

let kept = { groups: null, at: 0, depth: null }
let changed = false
let unread = false
let asked = 0

// Tells that somebody here has changed letters.
export const groupsChanged = () => { changed = true }

export async function readGroups(depth) {
  const old = Date.now() - kept.at > MAX_AGE_MS
  if (changed || unread || old || !kept.groups || kept.depth !== depth) {
    const fresh = changed
    const number = ++asked
    changed = false
    unread = true // unless the answer is complete: the next look asks again
    const groups = await operation("dead-letters.list", { depth, fresh }, { timeout: 60_000 })
    if (groups.reading) return groups
    if (number === asked) {
      kept = { groups, at: Date.now(), depth }
      unread = false
    }
  }
  return kept.groups
}

export const depthOf = overview => overview?.broker.queues?.[QUEUE]?.ready

// Others put letters into the queue as well; a function of an older version does not tell.
export const hasWorkQueue = group => group.hasWorkQueue !== false

export const groupPath = group => ["letters", group.queue, group.cause]

export class LetterGroups extends Panel {
  every = 2000

  load() {
    return readGroups(depthOf(this.props.overview))
  }

  render({ overview }, { data, error }) {
    const total = depthOf(overview)
    const about = data?.at && t("{total} in the queue; groups read {time}", { total: number(total), time: "" })
    return html`
      <${Section} id="letters-title" title=${t("Dead letters")} error=${error}
        aside=${html`<span class=${total ? "bad-text" : "quiet"}>${about}${data?.at ? html`<${Time} at=${data.at} />` : null}</span>`}>
        <${GroupTable} groups=${data?.groups ?? []} reading=${!data || data.reading} error=${!data && error} />
        ${data?.groupsLeftOff ? html`<p class="quiet">${t("Smaller groups that are not shown: {count}", { count: number(data.groupsLeftOff) })}</p>` : null}
        ${data && !data.complete ? html`<p class="bad-text">${t("Not all letters could be read; the figures are too low.")}</p>` : null}
      <//>`
  }
}

export function GroupTable({ groups, reading, error, actions }) {
  const none = error ? t("Unknown") : reading ? t("Reading the letters") : t("No dead letters")
  const about = group => `${shortQueue(group.queue)}: ${group.error}`
  const columns = [
    { title: t("Queue"), kind: "id", cell: group => html`${shortQueue(group.queue)}${hasWorkQueue(group) ? null : html` <${Badge} tone="warn">${t("not a work queue")}<//>`}` },
    { title: t("Error"), kind: "text", cell: group => html`<${Link} to=${groupPath(group)} about=${t("Show letters: {about}", { about: about(group) })}>${group.error}<//>` },
    { title: t("Letters"), kind: "number", cell: group => number(group.count) },
    { title: t("Oldest"), cell: group => html`<${Time} at=${group.oldest} />` },
    { title: t("Newest"), cell: group => html`<${Time} at=${group.newest} />` },
    { title: t("Replays"), kind: "number", cell: group => number(group.replays) },
    ...(actions ? [{ title: t("Actions"), cell: group => html`<span class="buttons">${actions.map(([label, act]) =>
      html`<${Button} key=${label} label=${label} about=${about(group)} onClick=${() => act(group)} />`)}</span>` }] : []),
  ]
  return html`<${Table} label=${t("Dead letters by group")} columns=${columns} rows=${groups}
    keyOf=${group => `${group.queue} ${group.cause}`} empty=${none} />`
}
