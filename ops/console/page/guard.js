// What cannot be shown, such as an answer of another version, leaves a text instead of a blank page.
import { Component } from "./vendor/preact.js"
import { t } from "./language.js"
import { Button, html } from "./parts.js"

export class Guard extends Component {
  componentDidCatch(error) {
    console.error(error)
    this.setState({ error })
  }

  componentDidUpdate(before) {
    if (before.path?.join("/") !== this.props.path?.join("/")) this.setState({ error: null })
  }

  render({ children, onRetry }, { error }) {
    if (!error) return children
    return html`<div role="alert">
      <p class="bad-text">${t("This cannot be shown: {error}", { error: error.message })}</p>
      <${Button} label=${t("Try again")} onClick=${onRetry ?? (() => this.setState({ error: null }))} />
    </div>`
  }
}
