// A panel loads its data when it is shown, and again every few seconds while the page is visible.
import { Component } from "./vendor/preact.js"

export class Panel extends Component {
  every = 5000
  state = { data: null, error: null, result: null }
  #asked = 0
  #timer = null
  #shown = true

  componentDidMount() {
    this.#tick()
  }

  componentDidUpdate(before) {
    if (before.path?.join("/") !== this.props.path?.join("/")) this.reload()
  }

  componentWillUnmount() {
    this.#shown = false
    clearTimeout(this.#timer)
  }

  // Subclasses return their data.
  async load() {
    return null
  }

  async reload() {
    const asked = ++this.#asked
    const settle = found => asked === this.#asked && this.#shown && this.setState(found)
    try {
      const data = await this.load()
      settle({ data, error: null })
    } catch (error) {
      settle({ error })
    }
  }

  // Does something, tells the result, and loads again.
  async act(action) {
    this.setState({ result: null, busy: true })
    try {
      this.setState({ result: { text: await action() }, busy: false })
    } catch (error) {
      this.setState({ result: { error }, busy: false })
    }
    await this.reload()
  }

  async #tick() {
    if (!document.hidden) await this.reload()
    if (this.#shown) this.#timer = setTimeout(() => this.#tick(), this.every)
  }
}
