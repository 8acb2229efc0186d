/** What the desktop app's preload gives the page in its window, as `holdfastApp`: one connection to the host, and no more. */
export interface AppBridge {
  /** Begins a connection, which ends the one before. `listener` is given its frames, and null when it has ended. */
  open(listener: (frame: string | null) => void): void
  send(frame: string): void
  close(): void
}
