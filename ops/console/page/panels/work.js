// Replaying or discarding many letters: how far it is with a way to stop it, and how it ended.
import { number, time } from "../format.js"
import { t } from "../language.js"
import { Button, html } from "../parts.js"

export const isRunning = work => work?.state === "running"

// What is discarded is copied first.
export function Work({ work, stopping, onStop }) {
  if (!isRunning(work)) return null
  const discards = work.verb === "discard"
  const text = discards
    ? t("Discarding: {copied} of {total} copied, {count} discarded", { copied: number(work.copied), ...counts(work) })
    : t("Replaying: {count} of {total}", counts(work))
  return html`<div class="buttons">
    <progress max=${work.expected * (discards ? 2 : 1)} value=${work.done + work.copied} aria-label=${discards ? t("Discard") : t("Replay")}></progress>
    <span id="work">${text}</span>
    <${Button} label=${stopping ? t("Stopping") : t("Stop")} about=${discards ? t("Discard") : t("Replay")} off=${stopping} onClick=${onStop} />
  </div>`
}

export function resultOf(work) {
  if (!work?.endedAt) return null
  const text = `${time(work.endedAt)}: ${[outcomeOf(work), notNoted(work)].filter(Boolean).join(" ")}`
  return work.state === "failed" ? { error: { message: text } } : { text }
}

const counts = ({ done, expected }) => ({ count: number(done), total: number(expected) })

const notNoted = work => work.notNoted && t("Timelines do not show this: {why}", { why: work.notNoted })

function outcomeOf(work) {
  const { verb, state, error, file, refused, held } = work
  const known = { ...counts(work), copied: number(work.copied), error, file }
  if (verb === "replay") {
    if (state === "failed") return work.done ? t("{error} (replayed {count})", known) : error
    if (state === "stopped") return t("Stopped: replayed {count} of {total}; the others are still dead letters.", known)
    const matched = number(refused.reduce((sum, one) => sum + one.count, work.done))
    const why = refused.map(one => `${one.reason}: ${number(one.count)}`).join("; ")
    const done = t("Replayed {count} of {matched}. {refused}", { ...known, matched, refused: why })
    return held ? `${done} ${t("Another program holds {count} of the letters; replay again.", { count: number(held) })}` : done
  }
  if (state === "failed") return work.copied ? t("{error} (discarded {count}, {copied} copied to {file}; discard again)", known) : error
  if (state === "stopped" && !work.copied) return t("Stopped: nothing was copied or discarded.")
  if (state === "stopped") return t("Stopped: discarded {count} of {total}; the others are still dead letters. {copied} copies are in {file}", known)
  if (!work.done) return t("Nothing was discarded: the letters are no longer there.")
  return t("Discarded {count}; the copies are in {file}", known)
}
