// The picture of the flow: publishers, queues, families, outcomes, releases, notifications. A
// followed message marks the steps that it has reached.
import { atLeast, duration, estimate, number, rate } from "../format.js"
import { t } from "../language.js"
import { html } from "../parts.js"
import { isMeasured } from "../samples.js"

const FAMILIES = ["device", "user", "billing"]
const OUTCOMES = [["applied", "good"], ["duplicate"], ["outdated"], ["retried", "warn"], ["held", "warn"], ["parked", "warn"], ["dead_lettered", "bad"], ["given_up", "bad"]]

export function Flow({ overview, followed }) {
  const queues = overview.broker.queues ?? {}
  const { outcomesPerMinute = {}, changesPerMinute = {}, estimated = [], deliveries = {}, outbox } = overview.database
  // What a server that is away would know is unknown, not zero.
  const fromBroker = value => (overview.broker.error ? null : value)
  const fromDatabase = value => (overview.database.error ? null : value)
  const ofFamily = family => Object.entries(queues).filter(([name]) => name.startsWith(`scheduler.${family}-`))
  const sum = (entries, what) => entries.reduce((total, [, queue]) => total + (queue?.[what] ?? 0), 0)
  const published = entries => (entries.some(([, queue]) => isMeasured(queue)) ? sum(entries, "publishedLately") : null)
  const work = FAMILIES.flatMap(ofFamily).filter(([name]) => !name.endsWith(".retry"))
  const retries = FAMILIES.flatMap(ofFamily).filter(([name]) => name.endsWith(".retry"))
  const outcomes = Object.values(outcomesPerMinute)
  const outcome = name => fromDatabase(outcomes.reduce((total, one) => total + (one[name] ?? 0), 0))
  const received = family => Object.entries(outcomesPerMinute).filter(([name]) => name.startsWith(`scheduler.${family}-`))
    .reduce((total, [, one]) => total + Object.values(one).reduce((a, b) => a + b, 0), 0)
  const reached = step => followed?.steps[step]
  const perMinute = (value, ...names) => estimate(rate(value), names.some(name => estimated.includes(name)))
  const sent = Object.entries(deliveries).map(([channel, one]) => [channel, estimate(number(one.statuses.sent ?? 0), one.estimated?.includes("sent"))])
  const pending = Object.values(outbox?.channels ?? {})
  return html`
    <ol class="flow" aria-label=${t("Flow of events")}>
      <${Step} title=${t("Publishers")} at=${reached("published")}>
        <${Line} name=${t("events")} value=${number(fromBroker(published(work)))} />
      <//>
      <${Step} title=${overview.broker.error ? t("Queues") : t("{count} queues", { count: work.length })} at=${reached("queued")}>
        <${Line} name=${t("wait")} value=${number(fromBroker(sum(work, "ready")))} />
        <${Line} name=${t("in work")} value=${number(fromBroker(sum(work, "unacked")))} />
        <${Line} name=${t("wait for a retry")} value=${number(fromBroker(sum(retries, "ready")))} />
      <//>
      <${Step} title=${t("Functions")} at=${reached("received")}>
        ${FAMILIES.map(family => html`<${Line} key=${family} name=${t(`${family} events`)} marked=${followed?.family === family}
          value=${perMinute(fromDatabase(received(family)), ...OUTCOMES.map(([name]) => name))} />`)}
      <//>
      <${Step} title=${t("Outcomes")} at=${reached("settled")}>
        ${OUTCOMES.map(([name, tone]) => html`<${Line} key=${name} name=${t(name)} value=${perMinute(outcome(name), name)}
          tone=${outcome(name) ? tone : ""} marked=${followed?.outcomes.includes(name)} />`)}
      <//>
      <${Step} title=${t("Devices")} at=${reached("changed")}>
        ${["released", "allocated", "extended"].map(what => html`<${Line} key=${what} name=${t(what)} value=${perMinute(fromDatabase(changesPerMinute[what] ?? 0), what)}
          marked=${followed?.changes.includes(what)} />`)}
      <//>
      <${Step} title=${t("Notifications")} at=${reached("notified")}>
        ${sent.map(([channel, count]) => html`<${Line} key=${channel} name=${t("sent by {channel}, 5 min", { channel: t(channel) })} value=${count}
          marked=${followed?.channels.includes(channel)} />`)}
        <${Line} name=${t("pending")} value=${atLeast(number(outbox && pending.reduce((total, one) => total + one.pending, 0)), pending.some(one => one.more))} />
        <${Line} name=${t("oldest unsent")} value=${duration(outbox?.oldestNotificationSeconds || null)} />
      <//>
    </ol>`
}

const Step = ({ title, at, children }) => html`
  <li class=${at ? "reached" : ""}>
    <h3>${title}</h3>
    <dl>${children}</dl>
    ${at ? html`<p class="at">${at}</p>` : null}
  </li>`

const Line = ({ name, value, tone, marked }) => html`
  <div class="${tone ?? ""} ${marked ? "marked" : ""}"><dt>${name}</dt><dd>${value}</dd></div>`
