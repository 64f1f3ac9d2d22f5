// Whether all is well, from one look at the servers: the header shows it, and announces changes.
import { brief, ofServer } from "./errors.js"
import { duration, shortQueue } from "./format.js"
import { t } from "./language.js"
import { isStuck } from "./samples.js"

const LATE_SECONDS = 300

const SERVERS = { database: "Database", broker: "Broker", dynamodb: "DynamoDB" }

export function stateOf({ overview, error, waiting }) {
  if (error) return told("bad", [t("Not live: {error}", { error: brief(error.message) })])
  const problems = overview ? problemsOf(overview) : [] // stay, or every look at a server that hangs would announce them again
  if (waiting && !problems.length) return told("warn", [t("Waiting for an answer")])
  if (!overview) return told("", ["…"])
  return problems.length ? told("bad", problems) : told("good", [t("Live")], [])
}

function told(tone, texts, problems = texts) {
  return { tone, text: texts.join(" · "), problems }
}

// Without figures that change while the problem is the same: every change is announced.
function problemsOf(overview) {
  const found = Object.entries(SERVERS).filter(([part]) => overview[part].error)
    .map(([part, name]) => ofServer(t(name), overview[part].error))
  const { brake, outbox } = overview.database
  if (brake?.brake === "engaged") found.push(t("The mass-failure brake is engaged"))
  if (outbox?.dispatcherIsLate) found.push(t("The dispatcher is late"))
  else if (outbox?.oldestNotificationSeconds > LATE_SECONDS) {
    found.push(t("Notifications have waited for more than {time}", { time: duration(LATE_SECONDS) }))
  }
  for (const [name, queue] of Object.entries(overview.broker.queues ?? {})) {
    if (!queue) found.push(t("The queue {queue} is missing", { queue: shortQueue(name) }))
    else if (isStuck(name)) found.push(t("{queue}: messages wait and none is taken", { queue: shortQueue(name) }))
  }
  return found
}
