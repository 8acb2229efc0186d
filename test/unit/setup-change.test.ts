import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProposalId } from '../../shared/contract/ids.ts'
import type { Proposal, ProposedChange } from '../../shared/contract/schemas/proposal.ts'
import { createSetupProposer } from '../../shared/core/onboarding/propose-setup.ts'
import type { Paths } from '../../shared/core/paths.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import { createProposals, type ChangeKinds, type Proposals } from '../../shared/core/proposals/proposals.ts'
import { createSetupChange } from '../../shared/core/proposals/setup-change.ts'

let root = ''
let entries: [string, { profile: string; after: string; via: string }][] = []
let proposals: Proposals
const [cwd, profiles] = [() => join(root, 'web'), () => join(root, 'config', 'profiles')]
const projectFile = (): string => join(cwd(), 'holdfast.yaml')
const userFile = (): string => join(profiles(), 'claude-web.yaml')
const change = (): ProposedChange => ({ kind: 'setup', cwd: cwd(), name: 'claude-web' })
const answer = (proposal: Proposal, apply = true) => proposals.decide({ id: proposal.id, hash: proposal.hash, apply, via: 'approver' })

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hf-'))
  entries = []
  mkdirSync(cwd())
  writeFileSync(join(cwd(), 'CLAUDE.md'), '## Forbidden\n- deploying to production\n')
  const paths = { config: join(root, 'config'), profiles: profiles(), data: join(root, 'data'), run: join(root, 'run') } as Paths
  const ledger = { append: (kind: string, _session: unknown, body: never) => void entries.push([kind, body]) } as unknown as Ledger
  const propose = createSetupProposer({ paths, environment: { HOME: join(root, 'home') } })
  const kinds = { setup: createSetupChange({ folder: profiles(), ledger, propose }) } as ChangeKinds
  let ids = 0
  proposals = createProposals({ clock: { now: () => 0 }, ids: { proposal: () => `prp_${(ids += 1)}` as ProposalId }, kinds, publish: () => {} })
})
afterEach(() => rmSync(root, { recursive: true }))

describe('setting an agent up, asked for on a page', () => {
  it('shows both files and writes exactly them, once a person has said yes', async () => {
    const proposal = await proposals.make(change())
    expect(proposal).toMatchObject({ title: `Set up the agent claude-web in ${cwd()}`, subject: cwd(), state: 'waiting' })
    expect(proposal.texts.map(({ name, before }) => [name, before])).toEqual([[projectFile(), null], [userFile(), null]])
    expect(proposal.narrower).toContain('spend limit: no limit → $5.00')
    expect([existsSync(projectFile()), existsSync(userFile())]).toEqual([false, false])
    expect((await answer(proposal)).state).toBe('applied')
    expect([projectFile(), userFile()].map((path) => readFileSync(path, 'utf8'))).toEqual(proposal.texts.map(({ after }) => after))
    expect(statSync(userFile()).mode & 0o777).toBe(0o600)
    expect(entries.map(([kind, { profile, via }]) => [kind, profile, via])).toEqual([['profile/changed', projectFile(), 'approver'], ['profile/changed', userFile(), 'approver']])
  })

  it('is not carried out when the project says something else by then', async () => {
    const proposal = await proposals.make(change())
    writeFileSync(join(cwd(), 'CLAUDE.md'), '## Allowed\n- deploying to production\n')
    await expect(answer(proposal)).rejects.toThrow('has changed meanwhile')
    expect([existsSync(projectFile()), existsSync(userFile())]).toEqual([false, false])
  })

  it('writes over nothing: a file that is there stays, and one that came meanwhile ends it', async () => {
    writeFileSync(projectFile(), 'network: gateway\n')
    const proposal = await proposals.make(change())
    expect(proposal.texts.map(({ name }) => name)).toEqual([userFile()])
    mkdirSync(profiles(), { recursive: true })
    writeFileSync(userFile(), 'agent: mine\n')
    await expect(answer(proposal)).rejects.toThrow('is set up in')
    expect([projectFile(), userFile()].map((path) => readFileSync(path, 'utf8'))).toEqual(['network: gateway\n', 'agent: mine\n'])
  })
})
