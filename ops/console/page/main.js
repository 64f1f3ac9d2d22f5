// Starts the page: the address names a panel, and a look at all servers is repeated for ever.
import { Component, render } from "./vendor/preact.js"
import { get, operation, takeToken } from "./api.js"
import { brief } from "./errors.js"
import { clock, number, zone } from "./format.js"
import { Guard } from "./guard.js"
import { changeLanguage, isChinese, markLanguage, t } from "./language.js"
import { html } from "./parts.js"
import { route } from "./route.js"
import { remember } from "./samples.js"
import { stateOf } from "./state.js"
import { Letters } from "./panels/letters.js"
import { LookUp } from "./panels/lookup.js"
import { Message } from "./panels/message.js"
import { Overview } from "./panels/overview.js"
import { Pool } from "./panels/pool.js"
import { Publish } from "./panels/publish.js"
import { Sent } from "./panels/sent.js"
import { Users } from "./panels/users.js"

const TIMEOUT_MS = 8000
const PATIENCE_MS = 1500 // after which an answer that is still awaited is shown

const PANELS = [
  ["overview", "Overview", Overview],
  ["letters", "Dead letters", Letters],
  ["lookup", "Look up", LookUp],
  ["pool", "Pool", Pool],
  ["users", "Users", Users],
  ["publish", "Publish", Publish, config => config.allowPublish],
  ["message", "Follow a message", Message],
  ["sent", "Sent e-mail and SMS", Sent, config => config.isLocal],
]

class App extends Component {
  state = { path: route(), overview: null, error: null, waiting: false, letters: null }

  async componentDidMount() {
    addEventListener("hashchange", () => { // also if a new address is opened in this tab
      takeToken()
      this.setState({ path: route() })
    })
    markLanguage()
    await this.configure()
    for (;;) {
      if (!document.hidden) await this.look()
      await new Promise(wake => setTimeout(wake, this.state.config.refreshSeconds * 1000))
    }
  }

  async configure() {
    for (;;) {
      try {
        return this.setState({ config: await get("console/config"), error: null })
      } catch (error) {
        this.setState({ error })
        await new Promise(wake => setTimeout(wake, 2000))
      }
    }
  }

  async look() {
    const slow = setTimeout(() => this.setState({ waiting: true }), PATIENCE_MS)
    try {
      const overview = await operation("overview", {}, { timeout: TIMEOUT_MS })
      const at = new Date()
      if (overview.broker.queues) remember(overview.broker.queues, at.getTime())
      this.setState({ overview, error: null, at })
    } catch (error) {
      this.setState({ error })
    }
    clearTimeout(slow)
    this.setState({ waiting: false })
  }

  render(_, { path, config, overview, error, waiting, at }) {
    const state = stateOf({ overview, error, waiting })
    const [name = "overview", ...rest] = path
    const panels = PANELS.filter(([, , , shown]) => !shown || (config && shown(config)))
    const found = panels.find(one => one[0] === name)
    const [key, , Shown] = found ?? panels[0]
    return html`
      <header>
        <h1>CloudPhone Scheduler <span class="quiet">· ${config ? (config.isLocal ? t("local platform") : config.place) : t("console")}</span></h1>
        <span class="live ${state.tone}" role="status" id="live">${state.text}</span>
        <span class="quiet" id="updated">${at ? t("{time} ({zone})", { time: clock(at), zone: zone() }) : ""}</span>
        <button type="button" lang=${isChinese() ? "en" : "zh-CN"} onClick=${() => { changeLanguage(); this.forceUpdate() }}>${isChinese() ? "English" : "中文"}</button>
      </header>
      <nav aria-label=${t("Panels")}><ul>${panels.map(([id, title]) => html`
        <li key=${id}><a href=${`#/${id}`} aria-current=${id === key ? "page" : undefined}>${t(title)}${id === "letters" ? this.count(overview) : null}</a></li>`)}</ul></nav>
      <main>${config && !found ? html`<p class="bad-text" role="status">${t("The console has no page with this address; this is the overview.")}</p>` : null}
        ${config ? html`<${Guard} path=${path}><${Shown} key=${key} path=${rest} config=${config} overview=${overview} problems=${state.problems} onDone=${() => this.look()} /><//>`
        : html`<p class="stale">${error ? brief(error.message) : ""}</p>`}</main>`
  }

  count(overview) {
    const ready = overview?.broker.queues?.["scheduler.dead-letters"]?.ready
    return ready ? html` <span class="count">${number(ready)}</span>` : null
  }
}

takeToken()
const place = document.getElementById("app")
place.replaceChildren() // the text for the case that this script cannot be loaded
render(html`<${Guard} onRetry=${() => location.reload()}><${App} /><//>`, place)
