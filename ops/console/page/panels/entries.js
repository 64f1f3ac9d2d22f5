// The entries of a timeline, with links to what they name.
import { t } from "../language.js"
import { Badge, html, Link, Time } from "../parts.js"

export const Entries = ({ entries }) => html`
  <ol class="entries">${entries.map(entry => html`<${Entry} key=${keyOf(entry)} entry=${entry} />`)}</ol>`

const keyOf = entry => [entry.at, entry.kind, entry.action, entry.outcome, entry.allocationId, entry.message?.id, entry.detail].join(" ")

// Events have names; a notification has a title; of an allocation, its detail is the reason.
const titleOf = ({ kind, action, detail }) => (["event", "outgoing"].includes(kind) ? action : kind === "notification" ? detail : t(action))

const Entry = ({ entry }) => html`
  <li>
    <${Time} at=${entry.at} />
    <div>
      <p><span class="badge">${t(entry.kind)}</span> <strong>${titleOf(entry)}</strong>
        ${entry.outcome && entry.kind !== "allocation" ? html` <${Badge} word=${entry.outcome} />` : null}
        ${entry.userId ? html` <${Link} to=${["lookup", "user", entry.userId]}>${entry.userId}<//>` : null}
        ${entry.deviceId ? html` <${Link} to=${["lookup", "device", entry.deviceId]}>${entry.deviceId}<//>` : null}</p>
      ${entry.detail && entry.kind !== "notification" ? html`<p>${entry.detail}</p>` : null}
      ${entry.message ? html`<p class="quiet">${t("message")} <${Link} to=${["message", entry.message.id]}>${entry.message.id}<//>
        ${entry.message.publisher ? ` · ${entry.message.publisher}` : ""}${entry.message.correlationId ? ` · ${entry.message.correlationId}` : ""}
        ${entry.kind === "event" && entry.causedBy ? ` · ${t("by {whom}", { whom: entry.causedBy })}` : ""}</p>`
        : entry.causedBy ? html`<p class="quiet">${t("by {whom}", { whom: entry.causedBy })}</p>` : null}
      ${entry.deliveries.map(one => html`<p key=${one.channel}><${Badge} word=${one.status}>${t("{channel}: {status}", { channel: t(one.channel), status: t(one.status) })}<//>
        <span class="quiet"> <${Time} at=${one.at} />${one.attempts > 1 ? ` · ${t("{count} attempts", { count: one.attempts })}` : ""}${one.answer ? ` · ${one.answer}` : ""}</span></p>`)}
      ${entry.nextStep ? html`<p class="bad-text">${t("Next: {step}", { step: entry.nextStep })}</p>` : null}
    </div>
  </li>`
