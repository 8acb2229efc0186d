import type { NotificationConstructorOptions } from 'electron'
import type { Parts } from '../parts.ts'

export interface Notice extends NotificationConstructorOptions {
  onClick?(): void
  /** Told which of its buttons was pressed. */
  onAction?(index: number): void
}

/** Shows a notice, unless it is closed before, or nobody takes it; the tray and the pages tell the same. */
export type Notify = (notice: Notice) => { close(): void }

/** `takes` says whether notices are taken just now: see DesktopBus. */
export const createNotifier = (parts: Pick<Parts, 'newNotification'>, takes: () => Promise<boolean>): Notify => ({ onClick, onAction, ...options }) => {
  let close: (() => void) | null = null
  let closed = false
  void takes().then((taken) => {
    if (!taken || closed) return
    const notification = parts.newNotification(options)
    if (onClick !== undefined) notification.on('click', onClick)
    // Electron told the index by a second argument, before it put it into the first.
    if (onAction !== undefined) notification.on('action', (details, index: number | undefined) => onAction(index ?? details.actionIndex))
    notification.show()
    close = () => notification.close()
  })
  return {
    close: () => {
      closed = true
      close?.()
    },
  }
}
