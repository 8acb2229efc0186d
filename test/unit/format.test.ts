import { expect, test } from 'vitest'
import { formatCount, formatDuration, formatUsd, plural } from '../../shared/domain/format.ts'

test('money has the digits that matter', () => {
  expect([0, 1, 3_100, 10_000, 99_999, 100_000, 1_235_000, 12_345_678].map(formatUsd)).toEqual([
    '$0.00', '<$0.0001', '$0.0031', '$0.01', '$0.10', '$0.10', '$1.24', '$12.35',
  ])
})

test('durations and counts are short', () => {
  expect([340, 12_000, 180_000, 7_500_000, 86_400_000, 345_600_000].map(formatDuration)).toEqual(['340 ms', '12 s', '3 min', '2 h 5 min', '24 h', '4 d'])
  expect(formatCount(1_204_551)).toBe('1,204,551')
  expect([plural(0, 'file'), plural(1, 'file'), plural(1, 'process', 'processes'), plural(1_200, 'process', 'processes')]).toEqual(['0 files', '1 file', '1 process', '1,200 processes'])
})
