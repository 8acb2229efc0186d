import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileKind } from '../../domain/audit/finding.ts'

export interface Place {
  readonly path: string
  readonly kind: FileKind
  readonly scope: 'user' | 'project'
}

type Entry = readonly [kind: FileKind, ...paths: readonly string[]]

/** Below the home folder. Sources: each program's own documentation of where it keeps its settings. */
const HOME: readonly Entry[] = [
  ['claude-settings', '.claude/settings.json', '.claude/settings.local.json'],
  ['claude-state', '.claude.json'],
  ['mcp', '.cursor/mcp.json', '.codeium/windsurf/mcp_config.json', '.config/Claude/claude_desktop_config.json', 'Library/Application Support/Claude/claude_desktop_config.json',
    'AppData/Roaming/Claude/claude_desktop_config.json', '.config/Code/User/mcp.json', 'Library/Application Support/Code/User/mcp.json', 'AppData/Roaming/Code/User/mcp.json'],
  ['vscode-settings', ...['Code', 'Cursor', 'Windsurf', 'VSCodium'].flatMap((editor) => [`.config/${editor}/User/settings.json`, `Library/Application Support/${editor}/User/settings.json`, `AppData/Roaming/${editor}/User/settings.json`])],
  ['cursor-cli', '.cursor/cli-config.json'],
  ['cursor-hooks', '.cursor/hooks.json'],
  ['codex', '.codex/config.toml'],
  ['gemini', '.gemini/settings.json'],
  ['opencode', '.config/opencode/opencode.json', '.config/opencode/opencode.jsonc'],
  ['zed', '.config/zed/settings.json'],
  ['shell', '.bashrc', '.bash_profile', '.bash_login', '.profile', '.bash_aliases', '.zshrc', '.zshenv', '.zprofile', '.config/fish/config.fish'],
  ['instructions', '.claude/CLAUDE.md', '.codex/AGENTS.md', '.gemini/GEMINI.md'],
  ['git-credentials', '.git-credentials', '.config/git/credentials'],
  ['git-config', '.gitconfig', '.config/git/config'],
  ['gh', '.config/gh/hosts.yml', 'AppData/Roaming/GitHub CLI/hosts.yml'],
  ['aws', '.aws/credentials'],
  ['aws-config', '.aws/config'],
  ['gcloud', '.config/gcloud/application_default_credentials.json', 'AppData/Roaming/gcloud/application_default_credentials.json'],
  ['gcloud-config', '.config/gcloud/configurations/config_default', 'AppData/Roaming/gcloud/configurations/config_default'],
  ['azure', '.azure/msal_token_cache.json'],
  ['azure-profile', '.azure/azureProfile.json'],
  ['kube', '.kube/config'],
  ['npmrc', '.npmrc'],
  ['docker', '.docker/config.json'],
  ['netrc', '.netrc'],
  ['pypirc', '.pypirc'],
  ['ssh-key', '.ssh/id_rsa', '.ssh/id_ed25519', '.ssh/id_ecdsa'],
]

const PROJECT: readonly Entry[] = [
  ['claude-settings', '.claude/settings.json', '.claude/settings.local.json'],
  ['mcp', '.mcp.json', '.cursor/mcp.json', '.vscode/mcp.json'],
  ['vscode-settings', '.vscode/settings.json'],
  ['vscode-tasks', '.vscode/tasks.json'],
  ['cursor-cli', '.cursor/cli.json'],
  ['cursor-hooks', '.cursor/hooks.json'],
  ['codex', '.codex/config.toml'],
  ['gemini', '.gemini/settings.json'],
  ['opencode', 'opencode.json', 'opencode.jsonc'],
  ['zed', '.zed/settings.json'],
  ['dotenv', '.env', '.env.local', '.env.production', '.env.development'],
  ['instructions', 'CLAUDE.md', 'CLAUDE.local.md', 'AGENTS.md', 'GEMINI.md', '.cursorrules', '.windsurfrules', '.github/copilot-instructions.md', '.claude/CLAUDE.md'],
  ['npmrc', '.npmrc'],
]

/** Folders of commands, skills and agents, a file each. */
const FOLDERS: readonly (readonly [folder: string, kind: FileKind, ending: RegExp])[] = [
  ['.claude/commands', 'command', /\.md$/],
  ['.claude/agents', 'command', /\.md$/],
  ['.claude/skills', 'command', /SKILL\.md$/],
  ['.cursor/rules', 'instructions', /\.mdc?$/],
  ['.gemini/commands', 'command', /\.toml$/],
  ['.opencode/command', 'command', /\.md$/],
  ['.config/opencode/command', 'command', /\.md$/],
]
const MAX_IN_FOLDER = 500

const below = async (base: string, folder: string, ending: RegExp): Promise<string[]> => {
  const names = await readdir(join(base, folder), { recursive: true }).catch(() => [])
  return names.filter((name) => ending.test(name)).sort().slice(0, MAX_IN_FOLDER).map((name) => join(base, folder, name))
}

/** Every file that says how agents are run here, or holds a credential that they reach, whether or not it is there. */
export const auditedPlaces = async (home: string, project: string | null): Promise<Place[]> => {
  const places: Place[] = []
  for (const [base, scope, entries] of [[home, 'user', HOME], [project, 'project', PROJECT]] as const) {
    if (base === null) continue
    for (const [kind, ...paths] of entries) places.push(...paths.map((path) => ({ path: join(base, path), kind, scope })))
    for (const [folder, kind, ending] of FOLDERS) places.push(...(await below(base, folder, ending)).map((path) => ({ path, kind, scope })))
  }
  return [...new Map(places.map((place) => [place.path, place])).values()]
}

/** The agents, by where each keeps its settings; the first that matches. */
const AGENTS: readonly (readonly [path: RegExp, agent: string])[] = [
  [/claude_desktop_config\.json$/, 'Claude Desktop'],
  [/[\\/]\.claude([\\/]|\.json$)|[\\/]\.mcp\.json$/, 'Claude Code'],
  [/[\\/]\.?cursor[\\/]/i, 'Cursor'],
  [/windsurf/i, 'Windsurf'],
  [/[\\/](Code|VSCodium)[\\/]User[\\/]|[\\/]\.vscode[\\/]/, 'VS Code'],
  [/[\\/]\.codex[\\/]/, 'Codex'],
  [/[\\/]\.gemini[\\/]/, 'Gemini'],
  [/opencode\.jsonc?$/, 'opencode'],
  [/[\\/]\.?zed[\\/]/, 'Zed'],
]

/** The agent whose settings a file holds; null for a file that every agent can read. */
export const agentOf = (path: string): string | null => AGENTS.find(([pattern]) => pattern.test(path))?.[1] ?? null
