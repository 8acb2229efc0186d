import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'

const ROW_HEIGHT = 30
const OVERSCAN = 8

/**
 * A list of rows of one height, of which only those in sight are drawn: 100,000 scroll as ten do. Follows its end while
 * it is scrolled there. Arrows, Page Up and Down, Home and End choose a row.
 */
export const VirtualList = ({ label, count, selected, onSelect, onDoubleClick, row }: { label: string; count: number; selected: number | null; onSelect(index: number): void; onDoubleClick?(index: number): void; row(index: number): ReactNode }) => {
  const ref = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const id = useId()
  const [view, setView] = useState({ top: 0, height: 600 })

  const look = (): void => {
    const element = ref.current
    if (element === null) return
    atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW_HEIGHT
    setView({ top: element.scrollTop, height: element.clientHeight })
  }
  useEffect(() => {
    const element = ref.current
    if (element === null) return undefined
    const observer = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight
      look()
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useLayoutEffect(() => {
    if (atEnd.current && ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight
  }, [count])

  const choose = (index: number): void => {
    const element = ref.current
    if (element === null || count === 0) return
    const chosen = Math.max(0, Math.min(count - 1, index))
    onSelect(chosen)
    if (chosen * ROW_HEIGHT < element.scrollTop) element.scrollTop = chosen * ROW_HEIGHT
    else if ((chosen + 1) * ROW_HEIGHT > element.scrollTop + element.clientHeight) element.scrollTop = (chosen + 1) * ROW_HEIGHT - element.clientHeight
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(view.height / ROW_HEIGHT) - 1)
    const from = selected ?? count
    const target: Record<string, number> = { ArrowDown: (selected ?? -1) + 1, ArrowUp: from - 1, PageDown: from + page, PageUp: from - page, Home: 0, End: count - 1 }
    const index = target[event.key]
    if (index === undefined) return
    event.preventDefault()
    choose(index)
  }

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN)
  const last = Math.min(count, Math.ceil((view.top + view.height) / ROW_HEIGHT) + OVERSCAN)
  const rows = []
  for (let index = first; index < last; index += 1) {
    rows.push(
      <div
        key={index}
        id={`${id}-${index}`}
        role="option"
        aria-selected={index === selected}
        aria-setsize={count}
        aria-posinset={index + 1}
        className="list-row"
        style={{ top: index * ROW_HEIGHT }}
        onClick={() => choose(index)}
        onDoubleClick={() => onDoubleClick?.(index)}
      >
        {row(index)}
      </div>,
    )
  }
  const isDrawn = selected !== null && selected >= first && selected < last
  return (
    <div className="list" ref={ref} role="listbox" aria-label={label} tabIndex={0} aria-activedescendant={isDrawn ? `${id}-${selected}` : undefined} onScroll={look} onKeyDown={onKeyDown}>
      <div style={{ height: count * ROW_HEIGHT }} aria-hidden="true" />
      {rows}
    </div>
  )
}
