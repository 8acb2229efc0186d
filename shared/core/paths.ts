import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../contract/errors.ts'
import { baseFolders, compiledIn } from './base-folders.ts'
import { asFileFault } from './file-fault.ts'

/** Where Holdfast keeps things on this machine; all absolute. */
export interface Paths {
  /** The user's own files: profiles, and the findings of `audit` that were taken as they are. */
  readonly config: string
  readonly auditAccepted: string
  readonly auditKey: string
  readonly profiles: string
  /** Where the user wants the ledger sent. */
  readonly ledgerSettings: string
  /** What Holdfast keeps: ledger, checkpoints, agents' homes. */
  readonly data: string
  readonly ledger: string
  /** Words of the ledger's entries: made anew where it is missing. */
  readonly ledgerSearch: string
  readonly checkpoints: string
  readonly agents: string
  /** Who the agents are, their public keys; and those once more, in the form git verifies with. */
  readonly identities: string
  readonly allowedSigners: string
  /** MCP servers' homes. */
  readonly servers: string
  /** Which definitions of MCP tools were accepted. */
  readonly toolPins: string
  /** What was approved for always. */
  readonly grants: string
  /** Files as they were before `audit --fix`. */
  readonly auditBackups: string
  /** What models were asked and answered, where a profile has that logged. */
  readonly modelRequests: string
  /** How the files of profiles and policies were when last seen. */
  readonly configurationSeen: string
  /** Our own code as Node compiled it before: the host makes it anew where it is missing. */
  readonly compiled: string
  readonly log: string
  /** What lives as long as the host: endpoint file, sockets, kill files, each session's folder. */
  readonly run: string
  readonly killFiles: string
  /** Is there while Holdfast is locked. */
  readonly lock: string
  readonly sessions: string
}

/**
 * The folders for this environment: the platform's own (XDG base directories on Linux), or all below HOLDFAST_HOME.
 * Throws HoldfastError `bad-params` when HOLDFAST_HOME is not absolute.
 */
export const resolvePaths = (env: NodeJS.ProcessEnv): Paths => {
  const folders = baseFolders(env)
  if (folders === null) throw new HoldfastError('bad-params', `HOLDFAST_HOME must be an absolute path; it is "${env['HOLDFAST_HOME']}".`)
  const { config, base } = folders
  const data = join(base, 'data')
  const run = join(base, 'run')
  return {
    config,
    auditAccepted: join(config, 'audit-accepted.json'),
    auditKey: join(data, 'audit-key'),
    profiles: join(config, 'profiles'),
    ledgerSettings: join(config, 'ledger.yaml'),
    data,
    ledger: join(data, 'ledger.db'),
    ledgerSearch: join(data, 'ledger-search.db'),
    checkpoints: join(data, 'checkpoints'),
    agents: join(data, 'agents'),
    identities: join(data, 'agents.json'),
    allowedSigners: join(data, 'allowed-signers'),
    servers: join(data, 'servers'),
    toolPins: join(data, 'tool-pins.json'),
    grants: join(data, 'grants.json'),
    auditBackups: join(data, 'audit-backups'),
    modelRequests: join(data, 'model-requests'),
    configurationSeen: join(data, 'configuration-seen.json'),
    compiled: compiledIn(data),
    log: join(data, 'host.log'),
    run,
    killFiles: join(run, 'kill'),
    lock: join(run, 'locked'),
    sessions: join(run, 's'),
  }
}

/** Makes the host's folders, for its user alone. Throws HoldfastError that names the folder: `disk-full`, `read-only`. */
export const makeFolders = (paths: Paths): void => {
  for (const folder of [paths.config, paths.profiles, paths.data, paths.checkpoints, paths.agents, paths.run, paths.killFiles, paths.sessions]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw asFileFault(folder, error)
    }
  }
}
