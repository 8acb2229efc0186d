import { expect, test } from 'vitest'
import { packageArgument } from '../../shared/core/broker/package-pin.ts'

test.each<[string, string[], unknown]>([
  ['npx', ['-y', 'a-server'], { index: 1, prefix: '', spec: 'a-server' }],
  ['/usr/bin/npx', ['--yes', '@scope/server@^1.2', '--flag'], { index: 1, prefix: '', spec: '@scope/server@^1.2' }],
  ['npx', ['-y', '--package=a-server@latest', 'run'], { index: 1, prefix: '--package=', spec: 'a-server@latest' }],
  ['npx', ['-p', 'a-server', 'run'], { index: 1, prefix: '', spec: 'a-server' }],
  ['npx', ['-y', 'github:evil/server'], null],
  ['npx', ['-y', './server'], null],
  ['npx', ['-y', 'https://evil.example/x.tgz'], null],
  ['npx', ['--registry', 'a-server'], null],
  ['npx', ['-c', 'run'], null],
  ['node', ['a-server'], null],
])('the package of %s %j', (command, args, expected) => {
  expect(packageArgument(command, args)).toEqual(expected)
})
