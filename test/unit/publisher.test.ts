import { describe, expect, it } from 'vitest'

interface Publisher {
  namesPublisher(args: readonly string[], platform: string): boolean
  publisherOf(env: Record<string, string>, file: object): { maintainer: string; homepage: string }
}
const { namesPublisher, publisherOf } = (await import(new URL('../../build/publisher.mjs', import.meta.url).href)) as Publisher

const GIVEN = { HOLDFAST_MAINTAINER: 'A Person <a@person.example>', HOLDFAST_HOMEPAGE: 'https://holdfast.example/' }

describe('a package for others', () => {
  it('names who maintains it and its home page: from the environment, else from the package file', () => {
    expect(publisherOf(GIVEN, {})).toEqual({ maintainer: 'A Person <a@person.example>', homepage: 'https://holdfast.example/' })
    expect(publisherOf({}, { author: { name: 'B', email: 'b@person.example' }, homepage: 'https://b.example' })).toEqual({ maintainer: 'B <b@person.example>', homepage: 'https://b.example' })
    expect(publisherOf(GIVEN, { author: 'B <b@person.example>' }).maintainer).toBe('A Person <a@person.example>')
  })

  it.each([
    [{ ...GIVEN, HOLDFAST_MAINTAINER: 'Holdfast <holdfast@holdfast.invalid>' }, 'names who maintains it, and none'],
    [{ ...GIVEN, HOLDFAST_MAINTAINER: 'A Person' }, 'names who maintains it, and none'],
    [{ ...GIVEN, HOLDFAST_MAINTAINER: 'A <a@person.example>\nDepends: evil' }, 'names who maintains it, and none'],
    [{ ...GIVEN, HOLDFAST_MAINTAINER: 'A\nDepends: evil <a@person.example>' }, 'names who maintains it, and none'],
    [{ ...GIVEN, HOLDFAST_HOMEPAGE: 'https://holdfast.invalid/' }, 'names its home page, and none'],
    [{}, 'names who maintains it and its home page, and none is given. Give them as\n  HOLDFAST_MAINTAINER='],
  ])('is not made where that is a placeholder or missing: %j', (env, words) => {
    expect(() => publisherOf(env, {})).toThrow(words)
  })

  it.each([
    [[], 'linux', true],
    [['--linux', 'deb'], 'linux', true],
    [['--linux', 'rpm', 'AppImage'], 'darwin', true],
    [['--linux', 'AppImage'], 'linux', false],
    [['--dir'], 'linux', false],
    [[], 'darwin', false],
    [['--mac'], 'linux', false],
  ] as const)('with %j on %s: needs it %s', (args, platform, needs) => {
    expect(namesPublisher(args, platform)).toBe(needs)
  })
})
