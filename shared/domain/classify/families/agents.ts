import type { Family } from '../family.ts'

/** Programs that are agents themselves. Sources: their own command references, and the names of their npm and PyPI packages. */
export const agents: Family = {
  programs: ['claude', 'claude-code', 'codex', 'gemini', 'gemini-cli', 'opencode', 'opencode-ai', 'aider', 'aider-chat', 'cursor-agent', 'copilot', 'amp', 'qwen', 'qwen-code',
    'crush', 'cline', 'droid', 'auggie', 'kiro-cli', 'openhands', 'gptme', 'plandex', 'kimi', 'kilocode', 'claude-flow', 'ccr', 'open-interpreter', 'interpreter', 'sweagent', 'mini-swe-agent'],
  rules: [
    { line: '^(--version|-v|-V|--help|-h|version|help)$', class: 'read', reason: 'prints its version or help', yes: ['claude --version', 'codex -h'], no: ['claude -p x', 'claude'] },
  ],
  otherwise: { class: 'destructive', reason: 'starts another agent, whose calls nobody is asked about' },
}
