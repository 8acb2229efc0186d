import type { AgentAdapter } from '../agents/adapter.ts'
import { asItIs } from '../agents/canonical-call.ts'
import { createClaudeCodeHooks, isBrokered } from '../agents/claude-code/hooks.ts'
import { DEFAULT_MODEL_KEY } from '../policy/agent-profile.ts'

/** The command by which the guided session starts the scripted agent. */
export const SCRIPTED_AGENT_COMMAND = 'holdfast-scripted-agent'

/** The adapter for the scripted agent, which answers to Claude Code's hooks; `file` is its program. */
export const createScriptedAgentAdapter = (file: string): AgentAdapter => ({
  id: 'scripted-agent',
  modelKey: DEFAULT_MODEL_KEY,
  modelBaseUrl: 'https://api.anthropic.com',
  matches: (command) => command[0] === SCRIPTED_AGENT_COMMAND,
  prepare: ({ command, baseUrl, shim }) =>
    Promise.resolve({
      file: process.execPath,
      args: [file, ...command.slice(1)],
      env: { HOLDFAST_BASE_URL: baseUrl, HOLDFAST_SHIM: JSON.stringify([shim.file, ...shim.args]), ...shim.env },
      readable: [file],
      writable: [], signInHosts: [], isSignedOut: false, housekeepingHosts: [],
    }),
  createHookHandler: createClaudeCodeHooks,
  isBrokered,
  canonical: asItIs,
})
