import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProposalId } from '../../shared/contract/ids.ts'
import type { Proposal, ProposedChange } from '../../shared/contract/schemas/proposal.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import { createProfileChange } from '../../shared/core/proposals/profile-change.ts'
import { createProposals, type ChangeKinds, type Proposals } from '../../shared/core/proposals/proposals.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const NEW = 'policy: { allow: [Bash] }\n'

let folder = ''
let now = 0
let told: Proposal[] = []
let entries: [string, unknown][] = []
let proposals: Proposals
const file = (): string => join(folder, 'mine.yaml')
const change = (text = NEW, base: string | null = null): ProposedChange => ({ kind: 'profile', name: 'mine', text, base })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-'))
  ;[now, told, entries] = [0, [], []]
  let ids = 0
  const ledger = { append: (kind: string, _session: unknown, body: unknown) => void entries.push([kind, body]) } as unknown as Ledger
  const kinds = { profile: createProfileChange({ folder, ledger }) } as ChangeKinds
  proposals = createProposals({ clock: { now: () => now }, ids: { proposal: () => `prp_${(ids += 1)}` as ProposalId }, kinds, publish: (proposal) => told.push(proposal) })
})
afterEach(() => rmSync(folder, { recursive: true }))

const answer = (proposal: Proposal, apply = true, hash = proposal.hash) => proposals.decide({ id: proposal.id, hash, apply, via: 'approver' })

describe('a change of a profile that was asked for', () => {
  it('writes nothing until a person has said yes to it', async () => {
    const proposal = await proposals.make(change())
    expect(() => statSync(file())).toThrow('ENOENT')
    expect(proposal).toMatchObject({ title: 'A new profile: mine', state: 'waiting', wider: ['allow Bash is new'], texts: [{ name: file(), before: null, after: NEW }] })
    expect((await answer(proposal)).state).toBe('applied')
    expect(readFileSync(file(), 'utf8')).toBe(NEW)
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(entries).toEqual([['profile/changed', { profile: 'mine', before: null, after: sha256(NEW), wider: ['allow Bash is new'], via: 'approver' }]])
    expect(proposals.list()).toEqual([])
  })

  it('is not carried out on a no, nor under another hash, nor twice', async () => {
    const refused = await proposals.make(change())
    await expect(answer(refused, true, sha256('other'))).rejects.toThrow('not the change that waits')
    expect((await answer(refused, false)).state).toBe('refused')
    await expect(answer(refused)).rejects.toThrow('no longer waits')
    expect(entries).toEqual([])
  })

  it('is not carried out when the file became another one while it waited', async () => {
    writeFileSync(file(), 'agent: a\n')
    const proposal = await proposals.make(change(NEW, sha256('agent: a\n')))
    writeFileSync(file(), 'agent: b\n')
    await expect(answer(proposal)).rejects.toThrow('changed meanwhile')
    expect(readFileSync(file(), 'utf8')).toBe('agent: b\n')
    expect(told.at(-1)?.state).toBe('failed')
  })

  it('is refused at once where it is no valid profile, changes nothing, or leaves from another text', async () => {
    await expect(proposals.make(change('agent: [\n'))).rejects.toThrow('mine.yaml:2:1')
    writeFileSync(file(), NEW)
    await expect(proposals.make(change(NEW, sha256(NEW)))).rejects.toThrow('like this already')
    await expect(proposals.make(change('', null))).rejects.toThrow('changed meanwhile')
  })

  it('takes the place of an older one for the same profile, and expires', async () => {
    const first = await proposals.make(change())
    const second = await proposals.make(change('agent: b\n'))
    expect(proposals.list().map(({ id }) => id)).toEqual([second.id])
    expect(told.find(({ id, state }) => id === first.id && state === 'withdrawn')).toBeDefined()
    now = second.expiresAt
    await expect(answer(second)).rejects.toThrow('no longer waits')
    expect(told.at(-1)?.state).toBe('expired')
  })
})
