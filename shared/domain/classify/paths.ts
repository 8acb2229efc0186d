import { destructive, type Finding, read, shown, write } from './finding.ts'
import { isKnown } from './unknown.ts'

interface ProtectedPath {
  readonly path: RegExp
  readonly what: string
}

/** Files that act on their own later, open doors, or hold keys; matched against a path with `/` between names. */
const PROTECTED: readonly ProtectedPath[] = [
  { path: /\/\.(bash|zsh|ksh|csh|tcsh|mksh)[^/]*$/i, what: 'a start-up file of the shell' },
  { path: /\/\.(profile|login|logout|xprofile|xinitrc|xsession|inputrc|pam_environment)$/i, what: 'a start-up file' },
  { path: /\/\.config\/(fish|autostart|systemd|environment\.d)\//i, what: 'a start-up file' },
  { path: /\/Library\/Launch(Agents|Daemons)\//i, what: 'a start-up file' },
  { path: /\/\.(ssh|gnupg|aws|kube|azure|docker|password-store)(\/|$)/i, what: 'keys and credentials' },
  { path: /\/\.config\/(gcloud|gh|hub|doctl|op|holdfast)(\/|$)/i, what: 'keys and credentials' },
  { path: /\/\.?(netrc|git-credentials|pgpass|pypirc|npmrc|yarnrc(\.yml)?|my\.cnf|htpasswd)$/i, what: 'credentials' },
  { path: /\/(id_(rsa|dsa|ecdsa|ed25519)|authorized_keys|known_hosts)(\.[^/]*)?$/i, what: 'keys' },
  { path: /\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk)$/i, what: 'a key' },
  { path: /\/\.git\/hooks(\/|$)/i, what: 'a git hook, which runs by itself' },
  { path: /\/\.(husky|githooks|git-hooks)\//i, what: 'a git hook, which runs by itself' },
  { path: /\/(\.pre-commit-config\.yaml|lefthook\.ya?ml)$/i, what: 'git hooks, which run by themselves' },
  { path: /\/\.git(\/|$)/i, what: "git's own data" },
  { path: /\/\.gitconfig$/i, what: "git's configuration" },
  { path: /\/\.github\/(workflows|actions)\//i, what: 'a CI definition' },
  { path: /\/\.(circleci|buildkite|gitea\/workflows|forgejo\/workflows)\//i, what: 'a CI definition' },
  { path: /\/(\.gitlab-ci|\.travis|azure-pipelines|bitbucket-pipelines|appveyor|\.drone|cloudbuild)\.ya?ml$/i,
    what: 'a CI definition' },
  { path: /\/Jenkinsfile[^/]*$/i, what: 'a CI definition' },
  { path: /\/\.claude\/(settings[^/]*\.json|hooks\/)|\/\.claude\.json$/i, what: "the agent's own settings" },
  { path: /\/(\.mcp\.json|holdfast\.ya?ml)$/i, what: 'what governs the agent' },
  { path: /\/\.envrc$|\/\.vscode\/(tasks|launch|settings)\.json$|\/\.devcontainer\//i, what: 'a file that runs by itself' },
]

const DEVICES_OF_NO_EFFECT = /^\/dev\/(null|stdin|stdout|stderr|tty|zero|full|fd\/\d+)$/
const SCRATCH = /^(\/private)?\/(tmp|var\/tmp|var\/folders|dev\/shm)\/./
const SYSTEM =
  /^\/(etc|usr|bin|sbin|boot|lib\w*|opt|var|sys|proc|dev|root|run|srv|mnt|media|System|Library|Applications|private)(\/|$)/

/** Where a command runs: its folder (null when not known), which decides what lies outside the project. */
export interface Place {
  readonly projectFolder: string | null
  /** The folder that relative paths start from now; null when a `cd` went somewhere unknown. */
  readonly folder: string | null
  /** The agent's home folder, when known. */
  readonly home?: string | undefined
}

const HOME_OF = /^(\/home\/[^/]+|\/Users\/[^/]+|\/root)(?=\/|$)/

/** Resolves `.` and `..`; keeps a leading `~` or `/`. */
const normalize = (path: string): string => {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name === '..' && names.length > 0 && names.at(-1) !== '..') names.pop()
    else if (name !== '..' || !path.startsWith('/')) names.push(name)
  }
  return (path.startsWith('/') ? '/' : '') + names.join('/')
}

/** An absolute path where that can be told, else one that starts with `./`, `../` or `~/`. */
export const resolvePath = (path: string, place: Place): string => {
  let full = path
  if (full.startsWith('~')) {
    const home = place.home ?? (place.projectFolder === null ? undefined : HOME_OF.exec(place.projectFolder)?.[1])
    if (home !== undefined && /^~(\/|$)/.test(full)) full = home + full.slice(1)
  } else if (!full.startsWith('/') && place.folder !== null) {
    full = `${place.folder}/${full}`
  }
  return normalize(full)
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)

/** Whether a file that is emptied is likely to lose something: not one of output, or one that is meant to be empty. */
export const isLossToEmpty = (path: string): boolean =>
  isKnown(path) && !DEVICES_OF_NO_EFFECT.test(path) && !SCRATCH.test(path) && !/\.(log|out|txt|tmp|err|pid|lock)$|(^|\/)(\.\w*keep|__init__\.py|py\.typed|\.nojekyll|nohup\.out)$/i.test(path)

/** What writing to one path means. An unknown path is an ordinary write unless its known end is a protected name. */
export const judgeWrittenPath = (path: string, place: Place): Finding => {
  if (DEVICES_OF_NO_EFFECT.test(path)) return read(`${path} keeps nothing`)
  const label = shown(path)
  const full = resolvePath(path.slice(0, 4_096), place)
  if (full.startsWith('/dev/') && !SCRATCH.test(full)) return destructive(`writes to a device: ${label}`)
  const rooted = `/${full}`
  for (const entry of PROTECTED) {
    if (entry.path.test(rooted)) return destructive(`changes ${entry.what}: ${label}`)
  }
  if (!isKnown(full)) return write(`writes a file: ${label}`)
  const inside = place.projectFolder === null ? null : isWithin(full, normalize(place.projectFolder))
  if (inside === true || SCRATCH.test(full)) return write(`writes a file: ${label}`)
  if (full === '/' || SYSTEM.test(full)) return destructive(`changes a file of the system: ${label}`)
  if (full.startsWith('~') || full.startsWith('..')) return destructive(`writes outside the project: ${label}`)
  if (inside === false && full.startsWith('/')) return destructive(`writes outside the project: ${label}`)
  return write(`writes a file: ${label}`)
}
