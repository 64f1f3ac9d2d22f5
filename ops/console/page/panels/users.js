// The users, and one of them.
import { number } from "../format.js"
import { t } from "../language.js"
import { Badge, Choice, Facts, Field, html, Link, noRows, Section, Table, Time } from "../parts.js"
import { Pages, total } from "./pages.js"
import { User } from "./user.js"

export const Users = ({ path, config }) => (path.length
  ? html`<${User} key=${path[0]} id=${path[0]} path=${path} config=${config} />`
  : html`<${UserList} path=${path} />`)

class UserList extends Pages {
  static operation = "users"

  render(_, { search, filters, data, error }) {
    const totals = data?.totals
    const facts = [
      [t("Users"), number(total(totals))], [t("active"), number(total(totals, status => status === "active"))],
      [t("suspended"), number(total(totals, status => status === "suspended"))],
      [t("deleted"), number(total(totals, status => status === "deleted"))],
      [t("Billing hold"), number(total(totals, (_status, hold) => hold))],
    ]
    const columns = [
      { title: t("Id"), kind: "id", cell: user => html`<${Link} to=${["users", user.id]} about=${t("Show the user {id}", { id: user.id })}>${user.id}<//>` },
      { title: t("Status"), cell: user => html`<${Badge} word=${user.status} />${user.billingHold ? html` <${Badge} tone="bad">${t("billing hold")}<//>` : null}` },
      { title: t("Devices"), kind: "number", cell: user => `${number(user.devices)} / ${number(user.maxDevices)}` },
      { title: t("Language"), cell: user => user.locale },
      { title: t("Since"), cell: user => html`<${Time} at=${user.createdAt} />` },
    ]
    return html`
      <${Section} id="users-title" title=${t("Users")} error=${error}>
        <${Facts} facts=${facts} />
        ${data && !totals ? html`<p class="bad-text">${t("There are more users than can be counted in two seconds.")}</p>` : null}
        <div class="row">
          <${Field} label=${t("Search by the beginning of the id")}><input type="search" maxlength="64" value=${search} onInput=${event => this.change({ search: event.target.value })} /><//>
          <${Choice} label=${t("Status")} value=${filters.status ?? ""} onChange=${status => this.change({ filters: { ...filters, status } })}
            options=${[["", t("any")], ...["active", "suspended", "deleted"].map(one => [one, t(one)])]} />
          <${Choice} label=${t("Billing hold")} value=${String(filters.billingHold ?? "")} onChange=${value => this.change({ filters: { ...filters, billingHold: value && value === "true" } })}
            options=${[["", t("any")], ["true", t("yes")], ["false", t("no")]]} />
        </div>
        <${Table} label=${t("Users")} columns=${columns} rows=${data?.items ?? []} keyOf=${user => user.id} empty=${noRows({ data, error }, t("No users"))} />
        ${this.pages(t("Users"))}
      <//>`
  }
}
