// The devices: how many there are in which state, and who holds them.
import { number } from "../format.js"
import { t } from "../language.js"
import { Badge, Choice, Facts, Field, html, Link, noRows, Section, Table, Time } from "../parts.js"
import { Pages, total } from "./pages.js"

const HEALTH = ["running", "stopped", "error", "failed", "maintenance", "deleted", "unknown"]

export class Pool extends Pages {
  static operation = "devices"

  render(_, { search, filters, data, error }) {
    const totals = data?.totals
    const facts = [
      [t("Devices"), number(total(totals))],
      [t("Can be allocated"), number(total(totals, (status, health) => status === "available" && health === "running"))],
      [t("Held by users"), number(total(totals, status => status === "allocated"))],
      ...HEALTH.slice(1).map(health => [t(health), number(total(totals, (_status, one) => one === health))]),
    ]
    const columns = [
      { title: t("Id"), kind: "id", cell: device => html`<${Link} to=${["lookup", "device", device.id]} about=${t("Timeline of {id}", { id: device.id })}>${device.id}<//>` },
      { title: t("Name"), cell: device => device.name },
      { title: t("Status"), cell: device => html`<${Badge} word=${device.status} />` },
      { title: t("Health"), cell: device => html`<${Badge} word=${device.health} />` },
      { title: t("Holder"), kind: "id", cell: device => device.userId && html`<${Link} to=${["users", device.userId]} about=${t("Show the user {id}", { id: device.userId })}>${device.userId}<//>` },
      { title: t("Since"), cell: device => html`<${Time} at=${device.allocatedAt} />` },
      { title: t("Expires"), cell: device => html`<${Time} at=${device.expiresAt} />` },
      { title: t("CPU"), kind: "number", cell: device => number(device.cpuCores) },
      { title: t("Memory (MB)"), kind: "number", cell: device => number(device.memoryMb) },
      { title: t("Last allocated"), cell: device => html`<${Time} at=${device.lastAllocatedAt} />` },
    ]
    const filter = (name, label, values) => html`<${Choice} label=${label} value=${filters[name] ?? ""}
      options=${[["", t("any")], ...values.map(value => [value, t(value)])]} onChange=${value => this.change({ filters: { ...filters, [name]: value } })} />`
    return html`
      <${Section} id="pool-title" title=${t("Pool")} error=${error}>
        <${Facts} facts=${facts} />
        ${data && !totals ? html`<p class="bad-text">${t("There are more devices than can be counted in two seconds.")}</p>` : null}
        <div class="row">
          <${Field} label=${t("Search by the beginning of the id")}><input type="search" maxlength="64" value=${search} onInput=${event => this.change({ search: event.target.value })} /><//>
          ${filter("status", t("Status"), ["available", "allocated"])}
          ${filter("health", t("Health"), HEALTH)}
        </div>
        <${Table} label=${t("Devices")} columns=${columns} rows=${data?.items ?? []} keyOf=${device => device.id} empty=${noRows({ data, error }, t("No devices"))} />
        ${this.pages(t("Devices"))}
      <//>`
  }
}
