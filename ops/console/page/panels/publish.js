// Publishes an event by a form; where that leads can be followed.
import { Component } from "../vendor/preact.js"
import { get, post, SLOW } from "../api.js"
import { t } from "../language.js"
import { Button, Choice, Field, html, Link, Result, Section } from "../parts.js"

export class Publish extends Component {
  state = { forms: null, chosen: "device.failed", values: {}, result: null, id: null }

  async componentDidMount() {
    try {
      this.setState({ forms: await get("console/forms") })
    } catch (error) {
      this.setState({ result: { error } })
    }
  }

  publish = async event => {
    event.preventDefault()
    const form = this.form()
    const fields = Object.fromEntries(form.fields.map(field => [field.path, this.value(field)]))
    this.setState({ result: null, id: null, busy: true })
    try {
      const { messageId } = await post("console/publish", { eventType: form.eventType, fields }, SLOW)
      this.setState({ id: messageId, result: { text: t("Published with the message id {id}", { id: messageId }) } })
    } catch (error) {
      this.setState({ result: { error } })
    }
    this.setState({ busy: false })
  }

  form = () => this.state.forms.find(one => one.eventType === this.state.chosen)
  value = field => this.state.values[field.path] ?? (field.value == null ? "" : String(field.value))

  render(_, { forms, chosen, result, id, busy }) {
    if (!forms) return html`<${Result} result=${result} />`
    const form = this.form()
    return html`
      <${Section} id="publish-title" title=${t("Publish an event")}>
        <form class="narrow" onSubmit=${this.publish}>
          <${Choice} label=${t("Event")} value=${chosen} options=${forms.map(one => [one.eventType, one.eventType])}
            onChange=${value => this.setState({ chosen: value, values: {}, result: null, id: null })} />
          <p class="quiet" lang="en">${form.meaning}</p>
          ${form.fields.map(field => html`<${Field} key=${`${chosen} ${field.path}`} label=${field.required ? field.path : t("{field} (optional)", { field: field.path })}>${this.input(field)}<//>`)}
          <${Button} main type="submit" label=${t("Publish {event}", { event: chosen })} off=${busy} />
        </form>
        <${Result} result=${result} />
        ${id ? html`<p><${Link} to=${["message", id]}>${t("Follow it through the flow")}<//></p>` : null}
      <//>`
  }

  input(field) {
    const change = event => this.setState({ values: { ...this.state.values, [field.path]: event.target.value } })
    const value = this.value(field)
    if (!field.choices.length) {
      return html`<input name=${field.path} value=${value} required=${field.required} autocomplete="off" onInput=${change} />`
    }
    const options = field.required ? field.choices : ["", ...field.choices]
    return html`<select name=${field.path} value=${value} onChange=${change}>${options.map(one => html`<option key=${one} value=${one} selected=${one === value}>${one}</option>`)}</select>`
  }
}
