// A curve since the page was opened, of the last minutes at most. Its highest value fills the height.
import { number } from "../format.js"
import { t } from "../language.js"
import { html } from "../parts.js"

const WIDTH = 100
const HEIGHT = 20
const FEWEST = 24 // fewer fill a part of the width, at the right

export function Sparkline({ values, label }) {
  const most = Math.max(...values, 0)
  const samples = Math.max(values.length, FEWEST)
  const left = samples - values.length
  const points = values.map((value, index) => {
    const x = ((index + left) / (samples - 1)) * WIDTH
    const y = HEIGHT - 1 - (most ? (value / most) * (HEIGHT - 2) : 0)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  const text = t("{label}: now {now}, at most {most}", { label, now: number(Math.round(values.at(-1) ?? 0)), most: number(Math.round(most)) })
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${text}>
    <title>${text}</title><polyline points=${points.join(" ")} /></svg>`
}
