import { expect, test } from 'vitest'
import { AgentId } from '../../shared/contract/ids.ts'
import { createCommitSigner } from '../../shared/core/identity/commit-signer.ts'
import { gitPersonOf, gitProblem, wantsSigning } from '../../shared/core/identity/git-identity.ts'
import { identityAttempt } from '../../shared/domain/identity-attempt.ts'
import { createMemoryLedger, SESSION } from '../support/fakes.ts'

const WHO = 'Agent <agent@agents.invalid>'
const OTHER = 'User <user@example.invalid>'
const commit = (author: string, committer = WHO) =>
  Buffer.from(`tree ${'a'.repeat(40)}\nauthor ${author} 7 +0000\ncommitter ${committer} 8 +0000\n\nwork\n\nHoldfast-Session: ${SESSION}\n`)

const setup = () => {
  const ledger = createMemoryLedger()
  const alarms: string[] = []
  const asked: unknown[] = []
  const signer = createCommitSigner({
    sessionId: SESSION,
    agentId: AgentId.parse('agt_222222222222'),
    who: WHO,
    identities: { signForGit: () => Promise.resolve('signature') },
    ledger,
    isEarlierWork: (author) => (asked.push(author), Promise.resolve(true)),
    raiseAlarm: (message) => void alarms.push(message),
  })
  return { ledger, alarms, asked, signer }
}

test('a signature is given only once it is recorded, and without the ledger none is', async () => {
  const { ledger, signer } = setup()
  expect(await signer.sign(commit(WHO))).toBe('signature')
  expect(ledger.entries.map(({ kind, body }) => [kind, body['who'], body['subject']])).toEqual([['commit/signed', WHO, 'work']])
  ledger.failFrom = 1
  await expect(signer.sign(commit(WHO))).rejects.toThrow('the disk is gone')
})

test('history is asked only about another author, never about another committer', async () => {
  const { ledger, asked, signer, alarms } = setup()
  expect(await signer.sign(commit(OTHER))).toBe('signature')
  expect(ledger.entries[0]?.body).toMatchObject({ who: WHO, author: OTHER })
  await expect(signer.sign(commit(OTHER, OTHER))).rejects.toMatchObject({ code: 'agent-refused' })
  await expect(signer.sign(Buffer.from('anything'))).rejects.toMatchObject({ code: 'agent-refused' })
  expect(asked).toEqual([{ who: OTHER, at: 7 }])
  expect(ledger.entries.slice(1).map(({ kind, body }) => [kind, body['by']])).toEqual([['identity/overruled', 'signer'], ['identity/overruled', 'signer']])
  expect(alarms).toHaveLength(1)
})

test('commands that tell git who commits are seen, and those that look are not', () => {
  for (const command of [
    'GIT_AUTHOR_NAME=x git commit', 'export GIT_COMMITTER_EMAIL="x"', 'git config user.email x@y', 'git config --global user.name "A B"', 'git -c user.name=x commit', 'git commit --author="A <a@b>" -m x',
    "cd a && git config --local 'author.email' x",
  ]) expect(identityAttempt({ command }), command).not.toBe(null)
  for (const command of ['git config user.email', 'git config --get user.name', 'git log --author-date-order', 'env | grep GIT_AUTHOR_NAME', 'git log --format=%an; echo user.name x', 'git commit -m x']) {
    expect(identityAttempt({ command }), command).toBe(null)
  }
  expect([identityAttempt(null), identityAttempt({ command: 7 }), identityAttempt('x')]).toEqual([null, null, null])
})

test('a session’s name is as git will write it, and signing is the profile’s word where it gives one', () => {
  const profile = (git: { name: string; email: string; sign?: boolean } | undefined) => ({ agent: 'tester', identity: git === undefined ? null : { git } })
  expect(gitPersonOf(profile(undefined))).toEqual({ name: 'tester', email: 'tester@agents.invalid' })
  expect(gitPersonOf(profile({ name: '"A <B>, C."', email: '<a@b>' }))).toEqual({ name: 'A B, C', email: 'a@b' })
  expect(gitPersonOf(profile({ name: '...', email: 'a@b' })).name).toBe('tester')
  const named = { name: 'a', email: 'b' }
  expect([wantsSigning(profile(undefined), null), wantsSigning(profile(undefined), 'locked'), wantsSigning(profile({ ...named, sign: false }), null)]).toEqual([true, false, false])
  for (const told of ['git version 2.34.1', 'git version 2.39.5 (Apple Git-154)', 'git version 3.0.0', null, 'odd']) expect(gitProblem(told), String(told)).toBe(null)
  for (const told of ['git version 2.33.8', 'git version 1.9.1']) expect(gitProblem(told), told).toContain('is older than 2.34')
  expect(() => wantsSigning(profile({ ...named, sign: true }), 'The keychain is locked.')).toThrow('The keychain is locked.')
})
