import { expect, test } from 'vitest'
import { ProfileFile } from '../../shared/contract/schemas/profile.ts'

const messageOf = (model: Record<string, unknown>): string | undefined => ProfileFile.safeParse({ model }).error?.issues[0]?.message

test('a model of Bedrock says its region, and a region is of a provider', () => {
  expect(messageOf({ provider: 'bedrock', region: 'us-gov-west-1' })).toBeUndefined()
  expect(messageOf({ provider: 'bedrock' })).toBe('a model of bedrock needs a region, such as eu-west-1')
  expect(messageOf({ region: 'eu-west-1' })).toBe('a region is of a provider: bedrock')
  expect(messageOf({ provider: 'bedrock', region: 'evil.example/' })).toBe('is no region, such as eu-west-1')
})
