/** Seconds a hook may wait for a person: one day, the most that was seen to work. */
const HOOK_TIMEOUT_SECONDS = 86_400

/** Milliseconds a held model stream may stay silent before Claude Code gives it up. */
const STREAM_IDLE_MS = 86_400_000

/**
 * Longest answer under a cap. The gateway reserves it for each request, and by default it is 128,000: at the price of a
 * large model, a cap of $5 would stop the session before $2 were spent.
 */
const CAPPED_OUTPUT_TOKENS = 16_000

/** Restrictions a person, a project or the agent cannot lift: passed as managed settings, which take restrictive keys only. */
export const managedSettings = {
  allowManagedPermissionRulesOnly: true,
  disableSkillShellExecution: true,
  // Hooks of the project, of skills and of agents do not run: only those of a plugin do, and the only plugin is ours.
  strictPluginOnlyCustomization: ['hooks'],
  permissions: { ask: ['*'], disableBypassPermissionsMode: 'disable', disableAutoMode: 'disable' },
}

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'CLAUDE_CODE_HTTP_PROXY', 'CLAUDE_CODE_HTTPS_PROXY']
const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost']

/** Each leads model requests to another cloud, past the gateway, with credentials that the agent would have to hold. Those of 2.1.330. */
const CLOUD_VARIABLES = ['BEDROCK', 'VERTEX', 'FOUNDRY', 'MANTLE', 'ANTHROPIC_AWS', 'ANTHROPIC_GOOGLE_CLOUD', 'GATEWAY'].map((name) => `CLAUDE_CODE_USE_${name}`)

/** The variable of a launch that names such a cloud; null where none does. */
export const cloudVariable = (env: Readonly<Record<string, string>>): string | null => CLOUD_VARIABLES.find((name) => !['', '0', 'false'].includes(env[name] ?? '')) ?? null

const AWS_VARIABLES = [
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_BEDROCK',
  'AWS_ENDPOINT_URL_BEDROCK_RUNTIME',
  'ANTHROPIC_BEDROCK_MANTLE_BASE_URL',
  'ANTHROPIC_BEDROCK_SERVICE_TIER',
  'ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION',
]

/** Through which a settings file could lead model requests past the gateway, drop the hooks, or change what an approved command runs. */
const EMPTIED_VARIABLES = [
  'ANTHROPIC_UNIX_SOCKET',
  'CLAUDE_CODE_RUNNER_MODEL_SOCKET',
  ...CLOUD_VARIABLES,
  'CLAUDE_CODE_SIMPLE',
  'CLAUDE_CODE_SAFE_MODE',
  'CLAUDE_CODE_SHELL_PREFIX',
  'CLAUDE_CODE_PROCESS_WRAPPER',
]

/**
 * The proxies of a launch, each under every name by which a program may look for it: one left out is one that a
 * settings file could fill, and read and answer hooks and model requests. Those go to loopback, past any proxy.
 */
export const pinnedProxies = (launch: Readonly<Record<string, string>>): Record<string, string> => {
  const given = (name: string): string => launch[name] ?? launch[name.toUpperCase()] ?? launch[name.toLowerCase()] ?? ''
  const direct = (name: string): string => [...new Set([...given(name).split(',').filter(Boolean), ...LOOPBACK_HOSTS])].join(',')
  return {
    ...Object.fromEntries([...PROXY_VARIABLES, 'http_proxy', 'https_proxy', 'all_proxy'].map((name) => [name, given(name)])),
    NO_PROXY: direct('NO_PROXY'),
    no_proxy: direct('no_proxy'),
  }
}

/** Files for an @ in the prompt: pinned like the rest, and in place of Claude Code's own list, which no setting brings back. */
const SUGGEST_FILES = [
  `query=$(sed -n 's/.*"query" *: *"\\([^"]*\\)".*/\\1/p')`,
  `{ git -c core.fsmonitor=false ls-files --cached --others --exclude-standard 2>/dev/null || find . -type f | cut -c 3-; } | grep -iF -- "$query" | head -n 15`,
].join('; ')

/**
 * Settings that win over the project's and the agent's own files, also when those are written during the session:
 * each key here is one through which such a file could switch the hooks off, move the model endpoint, or run a
 * command nobody is asked about. `env` holds the variables of the launch that are to stay. Verified with 2.1.330.
 */
export const pinnedSettings = (baseUrl: string, env: Readonly<Record<string, string>>) => ({
  disableAllHooks: false,
  // Lists of all files are joined: one of theirs would block our hooks, and with them every call; ours lets them through.
  allowedHttpHookUrls: [`${baseUrl}/hook/*`],
  statusLine: { type: 'command', command: 'echo held by Holdfast' },
  subagentStatusLine: { type: 'command', command: 'true' },
  fileSuggestion: { type: 'command', command: SUGGEST_FILES },
  otelHeadersHelper: 'echo {}',
  awsAuthRefresh: '',
  awsCredentialExport: '',
  gcpAuthRefresh: '',
  env: {
    ...Object.fromEntries(EMPTIED_VARIABLES.map((name) => [name, ''])),
    ...env,
    ANTHROPIC_BASE_URL: baseUrl,
  },
})

/** The hooks through which every tool call is asked about and reported; a hook that fails blocks its call. */
export const pluginHooks = (baseUrl: string) => {
  const hook = (name: string) => [
    {
      matcher: '*',
      hooks: [{ type: 'http', url: `${baseUrl}/hook/${name}`, timeout: HOOK_TIMEOUT_SECONDS, onFailure: 'block' }],
    },
  ]
  return {
    hooks: {
      // Says that this conversation has hooks, before its first answer.
      UserPromptSubmit: hook('user-prompt-submit'),
      PreToolUse: hook('pre-tool-use'),
      PermissionRequest: hook('permission-request'),
      PostToolUse: hook('post-tool-use'),
      PostToolUseFailure: hook('post-tool-use-failure'),
      // Before it ends: a person may have something to say.
      Stop: hook('stop'),
    },
  }
}

/**
 * Claude Code's own way of speaking to Bedrock, with the gateway in Bedrock's place: it makes the requests and signs
 * none. What else leads its AWS clients elsewhere, or gives them a credential, is emptied. Those of 2.1.330.
 */
export const bedrockEnvironment = (baseUrl: string, region: string): Record<string, string> => ({
  ...Object.fromEntries(AWS_VARIABLES.map((name) => [name, ''])),
  CLAUDE_CODE_USE_BEDROCK: '1',
  CLAUDE_CODE_SKIP_BEDROCK_AUTH: '1',
  ANTHROPIC_BEDROCK_BASE_URL: baseUrl,
  AWS_REGION: region,
  AWS_EC2_METADATA_DISABLED: 'true',
})

/** What Claude Code's own process gets beside the passed variables. */
export const claudeEnvironment = (params: { baseUrl: string; configFolder: string; hasModelKey: boolean; isCapped: boolean }): Record<string, string> => ({
  CLAUDE_CONFIG_DIR: params.configFolder,
  ANTHROPIC_BASE_URL: params.baseUrl,
  CLAUDE_CODE_DISABLE_AGENT_VIEW: '1',
  CLAUDE_CODE_MCP_ALLOWLIST_ENV: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_STREAM_IDLE_TIMEOUT_MS: String(STREAM_IDLE_MS),
  ...(params.isCapped ? { CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(CAPPED_OUTPUT_TOKENS) } : {}),
  // The second of these stops a settings file from moving the endpoint, and also stops a subscription's login: so only
  // with a key; the pinned settings hold the endpoint in both cases. The token is a word, not a credential.
  ...(params.hasModelKey ? { ANTHROPIC_AUTH_TOKEN: 'held-by-holdfast', CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST: '1' } : {}),
})

/** The agent's own configuration with the first-run questions answered for this folder; keeps what it has. */
export const seedConfiguration = (present: unknown, cwd: string): Record<string, unknown> => {
  const record = (value: unknown): Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
  const base = record(present)
  const projects = record(base['projects'])
  return {
    theme: 'dark',
    ...base,
    hasCompletedOnboarding: true,
    projects: { ...projects, [cwd]: { ...record(projects[cwd]), hasTrustDialogAccepted: true } },
  }
}
