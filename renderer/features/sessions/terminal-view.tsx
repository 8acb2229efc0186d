import { useEffect, useRef, useState } from 'react'
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import type { Session } from '../../../shared/contract/schemas/session.ts'
import { isOver } from '../../../shared/domain/session-state.ts'
import { faultText, useHost, useLive } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Empty } from '../../ui/note.tsx'
import { openStyled } from './terminal-styles.ts'

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

const toBase64 = (text: string): string => {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** The terminal of a session that was launched from a dashboard. Ctrl+Shift+Escape leaves it by keyboard. */
export const TerminalView = ({ session }: { session: Session }) => {
  const host = useHost()
  const connection = useLive((snapshot) => snapshot.connection)
  const ref = useRef<HTMLDivElement>(null)
  const enter = useRef<HTMLButtonElement>(null)
  const type = useRef<() => void>(() => undefined)
  const [fault, setFault] = useState<string | null>(null)
  const { id: sessionId } = session
  const over = isOver(session.state)

  useEffect(() => {
    const element = ref.current
    if (element === null || connection === 0) return undefined
    const terminal = new Terminal({ fontSize: 13, scrollback: 5_000, cursorBlink: false, screenReaderMode: false, theme: { background: '#16181b' } })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    openStyled(terminal, element)
    fit.fit()
    // It takes every Tab: whoever goes through the page by keyboard enters it by the button, and only then.
    if (terminal.textarea !== undefined) terminal.textarea.tabIndex = -1
    type.current = () => terminal.focus()
    terminal.attachCustomKeyEventHandler((event) => {
      if (!(event.key === 'Escape' && event.ctrlKey && event.shiftKey)) return true
      enter.current?.focus()
      return false
    })

    let early: string[] | null = []
    const off = host.on('session/output', (output) => {
      if (output.sessionId !== sessionId) return
      if (early === null) terminal.write(fromBase64(output.data))
      else early.push(output.data)
    })
    const resize = (): void => {
      fit.fit()
      void host.call('session/resize', { sessionId, terminal: { columns: terminal.cols, rows: terminal.rows } }).catch(() => undefined)
    }
    const observer = new ResizeObserver(resize)
    host.call('session/attach', { sessionId }).then(
      ({ data }) => {
        terminal.write(fromBase64(data))
        for (const chunk of early ?? []) terminal.write(fromBase64(chunk))
        early = null
        setFault(null)
        if (over) return
        terminal.onData((text) => void host.call('session/input', { sessionId, data: toBase64(text) }).catch(() => undefined))
        observer.observe(element)
        terminal.focus()
      },
      (error: unknown) => setFault(faultText(error)),
    )
    return () => {
      observer.disconnect()
      off()
      terminal.dispose()
    }
  }, [host, sessionId, connection, over])

  if (fault !== null) {
    return (
      <Empty title="No terminal here">
        <p>{fault}</p>
      </Empty>
    )
  }
  return (
    <>
      {over ? (
        <p className="muted">The session is over; this is what it printed last.</p>
      ) : (
        <p className="bar muted">
          <Button ref={enter} onClick={() => type.current()}>
            Type in the terminal
          </Button>
          <span>
            What you type goes to the agent. Leave with <kbd>Ctrl</kbd> <kbd>Shift</kbd> <kbd>Esc</kbd>.
          </span>
        </p>
      )}
      <div className="terminal" ref={ref} />
    </>
  )
}
