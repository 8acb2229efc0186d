import type { Readable, Writable } from 'node:stream'
import type { SessionId } from '../contract/ids.ts'
import type { ContainerKind } from '../contract/schemas/session.ts'

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** Has a server listen on a socket that is open already, which it then owns, or at a path. */
export type Listen = (where: { readonly fd: number } | { readonly path: string }) => Promise<void>

/** No network but one loopback port, which is the host's own: `listen` gets the socket before the command starts. */
export interface ClosedNetwork {
  readonly port: number
  readonly listen: Listen
}

/** What to run, and what it may see. All paths absolute and resolved. */
export interface ContainerSpec {
  readonly sessionId: SessionId
  /** The executable, absolute. */
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  /** The whole environment: nothing is added to it but what the container itself needs. */
  readonly env: Readonly<Record<string, string>>
  /** A terminal of its own, or three pipes. */
  readonly terminal: TerminalSize | null
  /** Folders and sockets it may read and write. */
  readonly writable: readonly string[]
  /** Folders and files it may read, on top of the system's own. */
  readonly readable: readonly string[]
  /** Folders and files that it must not see at all, whatever else says so. */
  readonly hidden: readonly string[]
  /** `open` is the machine's own network; `none` is a loopback device that leads nowhere. */
  readonly network: 'open' | 'none' | ClosedNetwork
  /** The agent's own home, shown to it at `homeAt`. */
  readonly home: string
  readonly homeAt: string
  /** Where to keep the kill file: see KillFile. Written before the command starts. */
  readonly killFile: string
  /** Asked once the kill file is there, and before anything runs; what it throws is what `launch` throws. */
  readonly requireStart?: () => void
}

export interface ContainerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What a sweep found after a kill. */
export interface KillProof {
  readonly killed: number
  /** Process ids still alive in the container: empty means proven. */
  readonly survivors: readonly number[]
  readonly durationMs: number
}

/** A running container. `freeze`, `thaw` and `kill` may be called at any time, twice, and after the end. */
export interface Container {
  readonly kind: ContainerKind
  /** Process id, in the host's view, of the first process inside. */
  readonly pid: number
  /** null when the container has a terminal: then `terminal` is set. */
  readonly pipes: { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable } | null
  readonly terminal: ContainerTerminal | null
  /** Resolves when the command has ended; whatever it left running is still inside until `kill`. */
  readonly exited: Promise<ContainerExit>
  /** Nothing inside runs from the moment this resolves. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Freezes, kills everything inside, and sweeps until it is empty or 5 s have passed. */
  kill(): Promise<KillProof>
  /** Sends a signal to the command alone. */
  signal(signal: NodeJS.Signals): void
  /** Whether a process, by its id in the host's view, is inside. */
  contains(pid: number): Promise<boolean>
  /** Ids of all processes inside, in the host's view. */
  processes(): Promise<readonly number[]>
}

export interface ContainerTerminal {
  onData(listener: (chunk: Buffer) => void): void
  write(data: Buffer): void
  resize(size: TerminalSize): void
  /** Stops and resumes reading, so that a slow viewer slows the agent and not the host's memory. */
  pause(): void
  resume(): void
  /** Resolves when nothing inside holds it any more, and all that was printed has been handed out. */
  readonly closed: Promise<void>
}

/** One way to hold processes on this platform. */
export interface ContainerProvider {
  readonly kind: ContainerKind
  /** null when it works here, else what is missing and the command that gets it. */
  unavailable(): Promise<string | null>
  launch(spec: ContainerSpec): Promise<Container>
}
