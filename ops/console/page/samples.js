// What the page has seen of each queue: depth, rate, and for how long it has not been empty.

const KEPT = 120
const STUCK_SECONDS = 20
const DEAD_LETTERS = "scheduler.dead-letters"
const queues = new Map()

// The broker's management plugin has answered; where no message has ever arrived, it has no rate.
export const isMeasured = queue => queue != null && queue.unacked !== null

export const isRetry = name => name.endsWith(".retry")

const OTHERS = [DEAD_LETTERS, "scheduler.notification-dispatch"]

// The names of the queues of events.
export const workQueues = queues => Object.keys(queues ?? {}).filter(name => !isRetry(name) && !OTHERS.includes(name))

// Remember one look at all queues, given by the time at which it was made.
export function remember(found, at) {
  for (const [name, queue] of Object.entries(found)) {
    if (!queue) continue
    const before = queues.get(name) ?? { samples: [], filledAt: null, movedAt: at, depth: 0 }
    const depth = queue.ready + (queue.unacked ?? 0)
    const moved = depth === 0 || depth < before.depth || (queue.ackRate ?? 0) > 0 || queue.unacked !== before.unacked
    const filledAt = depth === 0 ? null : (before.filledAt ?? at)
    const seen = filledAt === null ? 0 : (at - filledAt) / 1000
    const sample = { depth, rate: queue.ackRate ?? 0, age: Math.max(seen, queue.ageSeconds ?? 0) } // the broker knows an hour
    queues.set(name, {
      depth, filledAt, unacked: queue.unacked, movedAt: moved ? at : before.movedAt, at,
      samples: [...before.samples, sample].slice(-KEPT),
    })
  }
}

const of = name => queues.get(name) ?? { samples: [], movedAt: 0, at: 0, depth: 0 }

export const samplesOf = (name, what) => of(name).samples.map(sample => sample[what])
export const ageOf = name => of(name).samples.at(-1)?.age ?? null

// Messages wait and none is taken; those to be retried and dead letters wait on purpose.
export function isStuck(name) {
  const queue = of(name)
  return !isRetry(name) && name !== DEAD_LETTERS && queue.depth > 0 && queue.at - queue.movedAt > STUCK_SECONDS * 1000
}
