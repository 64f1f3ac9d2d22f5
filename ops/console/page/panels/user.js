// One user: quota, devices, allocations current and past, queued requests, reservations.
import { get, operation, post, SLOW } from "../api.js"
import { atLeast, duration, number } from "../format.js"
import { locale, t } from "../language.js"
import { Panel } from "../panel.js"
import { Badge, Button, Facts, html, Link, noRows, Result, Section, Table, Time } from "../parts.js"

export class User extends Panel {
  every = 4000

  async load() {
    const userId = this.props.id
    const user = await operation("user.details", { userId }).catch(error => {
      if (error.status === 502 && error.message.startsWith("there is no user")) return null
      throw error
    })
    const history = await operation("user.allocations", { userId, limit: 50, language: locale() })
    return { user, history }
  }

  async more() {
    const shown = this.allocations()
    const { items, next } = await operation("user.allocations", { userId: this.props.id, limit: 50, language: locale(), ...this.next() })
    this.setState({ older: [...shown, ...items], next })
  }

  // The newest are read again and again; to them, older ones are added on request.
  allocations() {
    const newest = this.state.data?.history.items ?? []
    const ids = new Set(newest.map(one => one.id))
    return [...newest, ...(this.state.older ?? []).filter(one => !ids.has(one.id))]
  }

  next() {
    return this.state.older ? this.state.next : this.state.data?.history.next
  }

  allocate = () => this.act(async () => {
    const found = await post("api/allocations", { userId: this.props.id }, SLOW)
    return t("Allocated {id}", { id: found.deviceId })
  })

  release = one => this.act(async () => {
    await get(`api/allocations/${one.id}`, { method: "DELETE", ...SLOW })
    return t("Released {id}", { id: one.deviceId })
  })

  render({ id, config }, { data, error, result, busy }) {
    const none = noRows({ data, error }, t("None"))
    const user = data?.user
    const back = html`<${Link} to=${["users"]}>${t("All users")}<//> <${Link} to=${["lookup", "user", id]}>${t("Timeline")}<//>`
    const allocate = config.isLocal ? html`<${Button} main label=${t("Allocate a device")} about=${id} off=${busy} onClick=${this.allocate} />` : null
    const newest = what => (user?.more?.includes(what) ? html`<p class="quiet">${t("Only the newest {count} are shown.", { count: number(user[what].length) })}</p>` : null)
    return html`
      <${Section} id="user-title" title=${t("User {id}", { id })} error=${error} aside=${html`${back} ${allocate}`}>
        ${user ? html`<${Facts} facts=${facts(user)} />` : data ? html`<p class="quiet">${t("This user does not exist yet.")}</p>` : null}
        ${user?.paymentProblem ? html`<p class="bad-text">${t("Payment failures are unknown: {why}", { why: user.paymentProblem })}</p>` : null}
        <${Result} result=${result} />
      <//>
      <${Section} id="held-title" title=${t("Active allocations")}>${this.held(user?.devices ?? [], config, busy, none)}<//>
      <${Section} id="waiting-title" title=${t("Queued requests")}><${Requests} rows=${user?.waiting ?? []} none=${none} />${newest("waiting")}<//>
      <${Section} id="reservations-title" title=${t("Reservations")}><${Reservations} rows=${user?.reservations ?? []} none=${none} />${newest("reservations")}<//>
      <${Section} id="history-title" title=${t("Allocations, the newest first")}>
        <${History} rows=${this.allocations()} none=${none} />
        ${this.next() ? html`<${Button} label=${t("Older")} about=${t("Allocations, the newest first")} onClick=${() => this.more()} />` : null}
      <//>`
  }

  held(rows, config, busy, none) {
    const columns = [
      { title: t("Device"), kind: "id", cell: one => html`<${Link} to=${["lookup", "device", one.deviceId]}>${one.deviceId}<//>` },
      { title: t("Since"), cell: one => html`<${Time} at=${one.allocatedAt} />` },
      { title: t("Expires"), cell: one => html`<${Time} at=${one.expiresAt} />` },
      { title: t("Allocation"), kind: "id", cell: one => html`<code>${one.allocationId}</code>` },
      ...(config.isLocal ? [{ title: t("Actions"), cell: one => html`<${Button} label=${t("Release")} about=${one.deviceId} off=${busy}
        onClick=${() => this.release({ id: one.allocationId, deviceId: one.deviceId })} />` }] : []),
    ]
    return html`<${Table} label=${t("Active allocations")} columns=${columns} rows=${rows} keyOf=${one => one.allocationId} empty=${none} />`
  }
}

const facts = user => [
  [t("Status"), html`<${Badge} word=${user.status} />`],
  [t("Billing hold"), user.billingHold ? html`<${Badge} tone="bad">${t("yes")}<//>` : t("no")],
  [t("Devices"), `${atLeast(number(user.devices.length), user.more?.includes("devices"))} / ${number(user.maxDevices)}`],
  [t("Cores"), user.maxCpu === null ? t("no limit") : number(user.maxCpu)],
  [t("Memory (MB)"), user.maxMemoryMb === null ? t("no limit") : number(user.maxMemoryMb)],
  [t("Payment failures"), number(user.paymentFailures)],
  [t("Language"), user.locale],
]

function Requests({ rows, none }) {
  const columns = [
    { title: t("Status"), cell: one => html`<${Badge} word=${one.status} />` },
    { title: t("Wanted for"), kind: "number", cell: one => duration(one.minutes * 60) },
    { title: t("Queued at"), cell: one => html`<${Time} at=${one.createdAt} />` },
    { title: t("Ended"), cell: one => html`<${Time} at=${one.endedAt} />` },
  ]
  return html`<${Table} label=${t("Queued requests")} columns=${columns} rows=${rows} keyOf=${one => one.id} empty=${none} />`
}

function Reservations({ rows, none }) {
  const columns = [
    { title: t("Status"), cell: one => html`<${Badge} word=${one.status} />` },
    { title: t("Device"), kind: "id", cell: one => one.deviceId },
    { title: t("Starts"), cell: one => html`<${Time} at=${one.startsAt} />` },
    { title: t("Ends"), cell: one => html`<${Time} at=${one.endsAt} />` },
  ]
  return html`<${Table} label=${t("Reservations")} columns=${columns} rows=${rows} keyOf=${one => one.id} empty=${none} />`
}

function History({ rows, none }) {
  const columns = [
    { title: t("Device"), kind: "id", cell: one => html`<${Link} to=${["lookup", "device", one.deviceId]}>${one.deviceId}<//>` },
    { title: t("Status"), cell: one => html`<${Badge} word=${one.status} />` },
    { title: t("Allocated at"), cell: one => html`<${Time} at=${one.allocatedAt} />` },
    { title: t("Released at"), cell: one => html`<${Time} at=${one.releasedAt} />` },
    { title: t("Held for"), kind: "number", cell: one => duration(one.durationSeconds) },
    { title: t("Reason"), kind: "text", cell: one => one.releaseReason ?? one.releaseCode },
  ]
  return html`<${Table} label=${t("Allocations, the newest first")} columns=${columns} rows=${rows} keyOf=${one => one.id} empty=${none} />`
}
