// Pages of a list: search, filters, true totals, and a way back.
import { t } from "../language.js"
import { number } from "../format.js"
import { Panel } from "../panel.js"
import { Button, html } from "../parts.js"
import { operation } from "../api.js"

const TOTALS_MS = 30_000

export class Pages extends Panel {
  static operation = ""
  every = 15_000 // a filter may have to read many rows
  state = { search: "", filters: {}, starts: [""] }
  totalsAt = 0

  async load() {
    const { search, filters, starts } = this.state
    const totals = Date.now() - this.totalsAt > TOTALS_MS
    const chosen = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ""))
    const found = await operation(this.constructor.operation, { search: search.trim(), ...chosen, after: starts.at(-1), totals })
    if (totals) this.totalsAt = Date.now()
    return { ...found, totals: totals ? found.totals : (this.state.data?.totals ?? null) }
  }

  change(found) {
    this.setState({ ...found, starts: [""] }, () => this.reload())
  }

  turn(starts) {
    this.setState({ starts }, () => this.reload())
  }

  pages(about) {
    const { data, starts } = this.state
    return html`<div class="buttons" role="group" aria-label=${t("Pages")}>
      <${Button} label=${t("First")} about=${about} off=${starts.length === 1} onClick=${() => this.turn([""])} />
      <${Button} label=${t("Back")} about=${about} off=${starts.length === 1} onClick=${() => this.turn(starts.slice(0, -1))} />
      <span class="quiet">${t("Page {page}", { page: number(starts.length) })}</span>
      <${Button} label=${t("Next")} about=${about} off=${!data?.next} onClick=${() => this.turn([...starts, data.next.after])} />
    </div>`
  }
}

// The sum of the totals whose values meet a condition; null while they are unknown.
export function total(totals, meets = () => true) {
  return totals?.filter(row => meets(...row)).reduce((sum, row) => sum + row.at(-1), 0) ?? null
}
