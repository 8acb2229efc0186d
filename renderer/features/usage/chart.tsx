import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import { chartSpan } from './chart-span.ts'

export interface Line {
  readonly name: string
  /** A token of the theme. */
  readonly color: '--accent' | '--muted' | '--danger' | '--text'
  readonly dash?: readonly number[]
  /** Null is a gap. */
  readonly values: readonly (number | null)[]
}

/** The token's colour as it is now; custom properties themselves are not resolved by the browser. */
const resolved = (element: HTMLElement, token: string): string => {
  element.style.color = `var(${token})`
  const { color } = getComputedStyle(element)
  element.style.color = ''
  return color
}

/** A chart over time. What it shows is said in `summary` as well, for who does not see it. */
export const Chart = ({ title, summary, at, lines, format }: { title: string; summary: string; at: readonly number[]; lines: readonly Line[]; format(value: number): string }) => {
  const ref = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const look = lines.map(({ name, color }) => name + color).join()
  const data = [[...at], ...lines.map(({ values }) => [...values])] as uPlot.AlignedData
  const latest = useRef({ data, lines, format })
  latest.current = { data, lines, format }

  useEffect(() => {
    const element = ref.current
    if (element === null) return undefined
    const draw = (): void => {
      plot.current?.destroy()
      const muted = resolved(element, '--muted')
      const grid = { stroke: resolved(element, '--line'), width: 1 }
      const axis = { stroke: muted, grid, ticks: { show: false }, font: '11px system-ui, sans-serif' }
      plot.current = new uPlot(
        {
          width: Math.max(200, element.clientWidth),
          height: 180,
          legend: { show: true, live: true },
          cursor: { y: false },
          scales: { x: { range: (_plot, min, max) => chartSpan(latest.current.data[0], min, max) }, y: { range: (_plot, _min, max) => [0, Math.max(max || 0, Number.EPSILON) * 1.1 || 1] } },
          axes: [axis, { ...axis, size: 62, values: (_plot, values) => values.map((value) => latest.current.format(value)) }],
          series: [
            { value: (_plot, value) => (value === null ? '–' : new Date(value * 1_000).toLocaleTimeString()) },
            ...latest.current.lines.map(({ name, color, dash }) => ({
              label: name,
              stroke: resolved(element, color),
              width: 1.5,
              ...(dash === undefined ? {} : { dash: [...dash] }),
              points: { show: latest.current.data[0].length < 3 },
              value: (_plot: uPlot, value: number | null) => (value === null ? '–' : latest.current.format(value)),
            })),
          ],
        },
        latest.current.data,
        element,
      )
    }
    draw()
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(200, element.clientWidth), height: 180 }))
    observer.observe(element)
    const themes = [matchMedia('(prefers-color-scheme: dark)'), matchMedia('(prefers-contrast: more)')]
    for (const theme of themes) theme.addEventListener('change', draw)
    const chosen = new MutationObserver(draw)
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      observer.disconnect()
      chosen.disconnect()
      for (const theme of themes) theme.removeEventListener('change', draw)
      plot.current?.destroy()
      plot.current = null
    }
  }, [look])

  useEffect(() => {
    plot.current?.setData(data)
  })

  return (
    <figure className="panel chart">
      <figcaption>
        <h2>{title}</h2>
        <p className="muted">{summary}</p>
      </figcaption>
      <div className="plot" ref={ref} aria-hidden="true" />
    </figure>
  )
}
