import { describe, expect, it } from 'vitest'
import { fieldOf, withField } from '../../shared/domain/profile-edit.ts'
import { profileEffects } from '../../shared/domain/profile-effects.ts'
import { parseProfileText } from '../../shared/domain/profile-text.ts'

const TEXT = `# mine
agent: tester # its name
policy:
  # never
  deny: ["Bash(rm:*)"]
limits: { spendUsd: 5 }
`

describe('a field of a profile, changed by a form', () => {
  it('leaves the rest of the text, comments too', () => {
    expect(withField(TEXT, ['limits', 'spendUsd'], 8)).toBe(TEXT.replace('5', '8'))
    expect(withField(TEXT, ['agent'], 'other')).toBe(TEXT.replace('tester', 'other'))
  })

  it('is never kept as it was for the sake of the spaces around it', () => {
    expect(withField('agent: "[ x ]"\nnetwork: open\n', ['agent'], '[x]')).toBe('agent: "[x]"\nnetwork: open\n')
  })

  it('is made with the fields it stands in, and goes with them when they are empty', () => {
    expect(withField('', ['limits', 'tokens'], 7)).toBe('limits:\n  tokens: 7\n')
    expect(withField('limits:\n  tokens: 7\n', ['limits', 'tokens'], undefined)).toBe('')
    expect(withField(TEXT, ['policy', 'deny'], [])).not.toContain('policy')
  })

  it('keeps rules in quotes, so that each stays one text', () => {
    expect(withField('', ['policy', 'allow'], ['Bash(npm test:*)', '# no comment'])).toBe('policy:\n  allow:\n    - "Bash(npm test:*)"\n    - "# no comment"\n')
  })

  it('is not written into a text that does not parse, or is no profile', () => {
    expect(withField('agent: [', ['agent'], 'x')).toBeNull()
    expect(withField('- a list', ['agent'], 'x')).toBeNull()
    expect(fieldOf('agent: [', ['agent'])).toBeUndefined()
  })

  it('is read as it stands', () => {
    expect([fieldOf(TEXT, ['agent']), fieldOf(TEXT, ['policy', 'deny']), fieldOf(TEXT, ['limits', 'spendUsd']), fieldOf(TEXT, ['network'])]).toEqual(['tester', ['Bash(rm:*)'], 5, undefined])
  })
})

describe('what a change of a profile does', () => {
  const effects = (before: string, after: string) => profileEffects(parseProfileText('p', 'user', before).profile, parseProfileText('p', 'user', after).profile)

  it.each([
    ['policy: { deny: [Bash] }', '', 'deny Bash is gone'],
    ['policy: { ask: [Bash] }', '', 'ask Bash is gone'],
    ['', 'policy: { allow: [Bash] }', 'allow Bash is new'],
    ['limits: { spendUsd: 5 }', 'limits: { spendUsd: 50 }', 'spend limit: $5.00 → $50.00'],
    ['limits: { spendUsd: 5 }', '', 'spend limit: $5.00 → no limit'],
    ['limits: { reviewEvery: { minutes: 30 } }', '', 'review every: 30 minutes → never'],
    ['limits: { reviewEvery: { usd: 0.5 } }', 'limits: { reviewEvery: { usd: 2 } }', 'review every: $0.50 → $2.00'],
    ['limits: { toolCallsPerMinute: 60 }', '', 'tool calls a minute: 60 → no limit'],
    ['', 'network: open', 'network: allowlist → open'],
    ['', 'sandbox: "off"', 'container: auto → off'],
    ['', 'record: { inputs: "off" }', 'the audit log keeps inputs: full → off'],
    ['alarms: { pause: [cost] }', '', 'the alarm cost no longer pauses'],
    ['', 'env: { pass: [AWS_PROFILE] }', 'of your environment it sees AWS_PROFILE'],
    ['', 'command: [bash]', 'command is another: none → ["bash"]'],
    ['', 'servers: mcp.json', 'servers is another: none → "mcp.json"'],
    ['', 'model: { baseUrl: "https://evil.example" }', 'model is another: none → {"baseUrl":"https://evil.example"}'],
    ['', 'limits: { approvalTimeoutMs: 5 }', 'limits.approvalTimeoutMs is another: none → 5'],
  ])('from %j to %j, it lets the agent do more', (before, after, said) => {
    expect(effects(before, after)).toEqual({ wider: [said], narrower: [] })
  })

  it.each([
    ['', 'policy: { deny: [Bash] }', 'deny Bash is new'],
    ['policy: { allow: [Bash] }', '', 'allow Bash is gone'],
    ['limits: { tokens: 9000 }', 'limits: { tokens: 8000 }', 'token limit: 9,000 → 8,000'],
    ['env: { pass: [PATH, AWS_PROFILE] }', 'env: { pass: [PATH] }', 'of your environment it no longer sees AWS_PROFILE'],
    ['', 'network: gateway', 'network: allowlist → gateway'],
    ['', 'alarms: { pause: [cost] }', 'the alarm cost pauses'],
  ])('from %j to %j, it lets the agent do less', (before, after, said) => {
    expect(effects(before, after)).toEqual({ wider: [], narrower: [said] })
  })
})
