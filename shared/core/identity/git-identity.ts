import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { AgentIdentity } from '../../contract/schemas/agent.ts'
import { SESSION_TRAILER } from '../../domain/git-object.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import { findGit, requireTrusted } from '../program-trust.ts'
import { allowedSigners } from './allowed-signers.ts'

/** git drops these at the ends of a name, and the angle brackets anywhere (ident.c). */
const cleaned = (text: string): string => text.replaceAll(/[<>\n]/g, '').replace(/^[\s.,:;"\\']+|[\s.,:;"\\']+$/g, '')

/** Who a session commits as, as git will write it. */
export const gitPersonOf = ({ agent, identity }: Pick<AgentProfile, 'agent' | 'identity'>): { readonly name: string; readonly email: string } => ({
  name: cleaned(identity?.git?.name ?? '') || agent,
  email: cleaned(identity?.git?.email ?? '') || `${agent}@agents.invalid`,
})

/** The first git that signs with a key of this kind. An older one stops at the setting: it then gets none. */
const SIGNS_SINCE = [2, 34] as const

/** Why this git cannot sign with an agent's key, or null. `told` is what `git --version` says, null where there is no git. */
export const gitProblem = (told: string | null): string | null => {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(told ?? '') ?? []
  if (major === undefined || Number(major) > SIGNS_SINCE[0] || (Number(major) === SIGNS_SINCE[0] && Number(minor) >= SIGNS_SINCE[1])) return null
  return `git ${major}.${minor} is older than ${SIGNS_SINCE.join('.')}, the first that signs with such a key.`
}

/** What git says of its version; null where there is none. Throws HoldfastError `agent-refused` for one that anyone can change. */
export const gitVersion = async (): Promise<string | null> => {
  const file = findGit(process.env['PATH'] ?? '')
  if (file === null) return null
  await requireTrusted(file)
  return new Promise((resolve) => void execFile(file, ['--version'], { timeout: 5_000, env: {} }, (error, stdout) => resolve(error === null ? stdout : null)))
}

/**
 * Whether a session's commits are signed: wherever that can be, unless the profile says no. Throws HoldfastError
 * `secret-unavailable` where there is none and the profile says yes.
 */
export const wantsSigning = ({ identity }: Pick<AgentProfile, 'identity'>, problem: string | null): boolean => {
  if (identity?.git?.sign === false) return false
  if (problem !== null && identity?.git?.sign === true) {
    throw new HoldfastError('secret-unavailable', `The profile says identity.git.sign: true, and commits cannot be signed: ${problem}`)
  }
  return problem === null
}

/** Commits are the agent's own: never the user's name. */
export const identityEnvironment = ({ name, email }: { readonly name: string; readonly email: string }): Record<string, string> => ({
  GIT_AUTHOR_NAME: name,
  GIT_AUTHOR_EMAIL: email,
  GIT_COMMITTER_NAME: name,
  GIT_COMMITTER_EMAIL: email,
})

/** What people and their tools hook into on the client's side (githooks(5)): our folder of hooks passes these on. */
const HOOKS = [
  ...['applypatch-msg', 'pre-applypatch', 'post-applypatch', 'pre-commit', 'pre-merge-commit', 'prepare-commit-msg', 'commit-msg'],
  ...['post-commit', 'pre-rebase', 'post-checkout', 'post-merge', 'pre-push', 'post-rewrite'],
]

/** Runs the project's own hook of that name; a commit's message then gets its trailer, `--no-verify` or not. */
const hookScript = (sessionId: SessionId): string => `#!/bin/sh
name=\${0##*/}
theirs=$(git config --local --type=path core.hooksPath 2>/dev/null) || theirs=$(git rev-parse --git-common-dir)/hooks
if [ -f "$theirs/$name" ] && [ -x "$theirs/$name" ]; then "$theirs/$name" "$@" || exit $?; fi
[ "$name" != prepare-commit-msg ] || exec git interpret-trailers --in-place --if-exists addIfDifferent --trailer '${SESSION_TRAILER}: ${sessionId}' "$1"
`

const quoted = (path: string): string => `'${path.replaceAll("'", String.raw`'\''`)}'`

/** Settings that come before those of every file (git-config(1), GIT_CONFIG_COUNT). */
const configEnvironment = (settings: readonly (readonly [string, string])[]): Record<string, string> =>
  Object.fromEntries([['GIT_CONFIG_COUNT', String(settings.length)], ...settings.flatMap(([key, value], index) => [[`GIT_CONFIG_KEY_${index}`, key], [`GIT_CONFIG_VALUE_${index}`, value]])]) as Record<string, string>

/**
 * Prepares git inside a session to have its commits signed by the host, and to name the session in them. `folder` is one
 * that the agent may read and not write. Returns the variables to launch with.
 */
export const prepareGitSigning = async (params: {
  readonly folder: string
  readonly sessionId: SessionId
  readonly identity: AgentIdentity
  /** Where to ask for a signature. */
  readonly signerUrl: string
  /** Node, and the program of ours that asks. */
  readonly signer: { readonly file: string; readonly program: string }
}): Promise<Record<string, string>> => {
  const { folder, sessionId, identity, signerUrl, signer } = params
  const hooks = join(folder, 'hooks')
  const program = join(folder, 'git-signer')
  const signersFile = join(folder, 'allowed-signers')
  await mkdir(hooks, { mode: 0o700 })
  await Promise.all([
    writeFile(program, `#!/bin/sh\nunset NODE_OPTIONS LD_PRELOAD\nexec ${quoted(signer.file)} ${quoted(signer.program)} "$@"\n`, { mode: 0o700 }),
    writeFile(signersFile, allowedSigners([identity]), { mode: 0o600 }),
    ...HOOKS.map((name) => writeFile(join(hooks, name), hookScript(sessionId), { mode: 0o700 })),
  ])
  return {
    HOLDFAST_SIGNER_URL: signerUrl,
    ...configEnvironment([
      ['gpg.format', 'ssh'],
      ['gpg.ssh.program', program],
      ['gpg.ssh.allowedSignersFile', signersFile],
      // The key itself: without `key::`, git 2.34 reads it too.
      ['user.signingKey', identity.keys.at(-1)?.publicKey ?? ''],
      ['commit.gpgSign', 'true'],
      ['tag.forceSignAnnotated', 'true'],
      ['core.hooksPath', hooks],
    ]),
  }
}
