// What would have left the machine: the e-mails and text messages of the local platform.
import { get } from "../api.js"
import { number } from "../format.js"
import { t } from "../language.js"
import { Panel } from "../panel.js"
import { html, noRows, Section } from "../parts.js"

export class Sent extends Panel {
  load() {
    return get("console/messages")
  }

  render(_, { data, error }) {
    const none = html`<p class="quiet">${noRows({ data, error }, t("None yet"))}</p>`
    const shown = what => data && html`<span class="quiet">${t("{shown} of {total}", { shown: number(data[what].length), total: number(data.totals[what]) })}</span>`
    return html`
      <div class="columns">
        <${Section} id="mails-title" title=${t("E-mails, the newest first")} aside=${shown("mails")} error=${error}>
          ${data?.mails.length ? data.mails.map(mail => html`<article>
            <p><strong>${mail.subject}</strong> <span class="quiet">${mail.to}</span></p><p>${mail.text}</p></article>`) : none}
        <//>
        <${Section} id="sms-title" title=${t("Text messages, the newest first")} aside=${shown("sms")}>
          ${data?.sms.length ? data.sms.map(sms => html`<article><p class="quiet">${sms.to}</p><p>${sms.text}</p></article>`) : none}
        <//>
      </div>`
  }
}
