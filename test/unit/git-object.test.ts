import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasTrailer, parseGitObject, refusalToSign } from '../../shared/domain/git-object.ts'

const ID = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const AGENT = 'Claude (frontend) <claude@agents.example>'
const SESSION = 'ses_222222222222'
const commit = ({ author = AGENT, committer = AGENT, headers = '', message = `work\n\nHoldfast-Session: ${SESSION}\n` } = {}) =>
  `tree ${ID}\nparent ${ID}\nauthor ${author} 1700000000 +0100\ncommitter ${committer} 1700000001 +0000\n${headers}\n${message}`
const refusal = (text: string, isEarlierWork = false) => {
  const object = parseGitObject(text)
  return object === null ? 'unreadable' : refusalToSign(object, { who: AGENT, sessionId: SESSION, isEarlierWork })
}

test('a commit by the agent that names its session may be signed; with another name in it, or no session, it may not', () => {
  expect(refusal(commit())).toBe(null)
  expect(refusal(commit({ author: 'User <user@example.invalid>' }))).toContain('the author is User <user@example.invalid>')
  expect(refusal(commit({ author: 'User <user@example.invalid>' }), true)).toBe(null)
  expect(refusal(commit({ committer: 'User <user@example.invalid>' }), true)).toContain('the committer is User <user@example.invalid>')
  expect(refusal(commit({ committer: 'Claude (frontend) <user@example.invalid>' }))).toContain('the committer is')
  expect(refusal(commit({ message: 'work\n' }))).toContain('does not end with the line')
  expect(refusal(commit({ message: `Holdfast-Session: ${SESSION}\n\nand more\n` }))).toContain('does not end with the line')
  expect(refusal(commit({ message: `work\n\nHoldfast-Session: ses_333333333333\n` }))).toContain('does not end with the line')
})

test('a header too many, out of its place, or of a kind not known makes it unreadable', () => {
  const evil = 'author User <user@example.invalid> 1700000000 +0000\n'
  for (const text of [
    commit({ headers: evil }), commit({ headers: 'encoding latin1\n' }), commit({ headers: 'gpgsig x\n' }), `${evil}${commit()}`, commit({ message: 'a\0b' }),
    commit().replace('tree', `tree ${ID}\ntree`), commit({ author: `${AGENT} 1 +0000\nauthor User <user@example.invalid>` }), commit().replace('+0100', '+0100 '), '', 'anything',
    commit({ author: 'a <b> <c>' }),
  ]) expect(refusal(text), text).toBe('unreadable')
  const merged = `mergetag object ${ID}\n type commit\n tag v1\n tagger User <user@example.invalid> 1 +0000\n \n v1\n`
  expect(refusal(commit({ headers: merged }))).toBe(null)
})

test('a tag is signed for its tagger alone', () => {
  const tag = (tagger: string) => `object ${ID}\ntype commit\ntag v1\ntagger ${tagger} 1700000000 +0000\n\nv1\n`
  expect(refusal(tag(AGENT))).toBe(null)
  expect(refusal(tag('User <user@example.invalid>'))).toContain('the tagger is User')
})

test('a trailer counts in the last paragraph alone', () => {
  expect(hasTrailer('a\n\nb: c\nSession: x\n\n', 'Session: x')).toBe(true)
  expect(hasTrailer('a\n\nSession: x\n\nb', 'Session: x')).toBe(false)
})

test('whatever bytes come, what is read as the agent’s own has its name in both places', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(`tree ${ID}\n`, `parent ${ID}\n`, `author ${AGENT} 1 +0000\n`, `committer ${AGENT} 1 +0000\n`, 'author U <u> 1 +0000\n', 'committer U <u> 1 +0000\n', '\n', `Holdfast-Session: ${SESSION}\n`, ' x\n'), { maxLength: 9 }), (parts) => {
      const text = parts.join('')
      if (refusal(text) !== null) return
      const head = text.split('\n\n', 1)[0] ?? ''
      expect(head.match(/^author .*$/gm)).toEqual([`author ${AGENT} 1 +0000`])
      expect(head.match(/^committer .*$/gm)).toEqual([`committer ${AGENT} 1 +0000`])
    }),
  )
})
