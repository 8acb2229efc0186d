import { expect, test } from 'vitest'
import { recordedCommand, recordedDecision, recordedReason } from '../../shared/core/ledger/recording.ts'

test('of a session’s command, whose arguments may be a prompt, as much is kept as the profile keeps of inputs', () => {
  const command = ['claude', '-p', 'A private plan.']
  expect(recordedCommand('full', command)).toEqual(command)
  expect(recordedCommand('hashed', command)).toEqual(['claude', 'sha256:9497e164606fe2f6774acfd2a238e5346eef5a1ee8ff767b22558e72ee96364e'])
  expect(recordedCommand('off', command)).toEqual(['claude'])
  expect(recordedCommand('hashed', ['claude'])).toEqual(['claude'])
  expect(recordedCommand('off', [])).toEqual([])
})

test('the reasons of a decision, which quote the input, stay only where inputs are kept whole; class and rules always', () => {
  const rules = [{ rule: 'Bash(rm:*)', effect: 'deny' as const, source: 'a.yaml:1' }]
  const decision = { effect: 'deny' as const, classification: { class: 'destructive' as const, reasons: ['rm plan.txt: removes it'] }, rules }
  const reason = 'Denied by Holdfast’s policy: rm plan.txt: removes it.'
  expect([recordedDecision('full', decision), recordedReason('full', reason, decision)]).toEqual([decision, reason])
  expect([recordedDecision('hashed', decision), recordedReason('off', reason, decision)]).toEqual([
    { effect: 'deny', classification: { class: 'destructive', reasons: [] }, rules },
    'Denied by Holdfast’s policy: ….',
  ])
  expect([recordedDecision('off', null), recordedReason('off', reason, null)]).toEqual([null, reason])
})
