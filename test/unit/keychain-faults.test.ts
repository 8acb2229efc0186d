import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { isStaleConnection, keychainFault } from '../../shared/core/secrets/keychain-faults.ts'

describe('a fault of the keychain', () => {
  test.each([
    ['SS Error: object locked', 'The keychain is locked. Unlock it, then try again.'],
    ['Ambiguous: 2 items', 'The keychain failed: Ambiguous: 2 items'],
  ])('%s', (text, message) => {
    expect(keychainFault(new Error(text)).toBody()).toEqual({ code: 'secret-unavailable', message })
  })

  test('that is known already stays as it is', () => {
    const error = new HoldfastError('secret-unavailable', 'x')
    expect(keychainFault(error)).toBe(error)
  })

  test('is of a kept connection only when that connection has ended', () => {
    expect(isStaleConnection(new Error('Platform failure: DBus error: The session does not exist'))).toBe(true)
    expect(isStaleConnection(new Error('unlock prompt was dismissed'))).toBe(false)
  })
})
