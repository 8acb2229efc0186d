import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { ScriptedAnswer } from '../../shared/core/demo/stand-in-model.ts'
import { bash, createScriptedWorld, use } from './script.ts'

/**
 * Records one long session of the real Claude Code, at work as on an ordinary day, as the audit log has it: what the
 * alarms are tuned against. Its model is a script; everything else is real.
 *
 *   node test/support/record-session.ts      writes test/fixtures/recorded-session.jsonl.gz
 */
const FILES = 12
const ROUNDS = 36
const name = (n: number): string => `src/part-${n % FILES}.js`

const files: Record<string, string> = {
  'package.json': '{ "name": "ordinary", "type": "module", "scripts": { "test": "node --test test/" } }\n',
  '.env.example': 'API_KEY=\nDATABASE_URL=\n',
  'test/part.test.js': "import { test } from 'node:test'\nimport assert from 'node:assert'\nimport { value } from '../src/part-0.js'\ntest('has a value', () => assert.ok(value >= 0))\n",
  ...Object.fromEntries(Array.from({ length: FILES }, (_, n) => [name(n), `// Reads a secret's name, never its value.\nexport const value = 0\n`])),
}

const day = (project: string): ScriptedAnswer[] =>
  Array.from({ length: ROUNDS }, (_, round): ScriptedAnswer[] => {
    const path = join(project, name(round))
    const was = Math.floor(round / FILES)
    return [
      use('Read', { file_path: path }),
      bash(`grep -rn "value" src | head -${(round % 5) + 5}`),
      use('Edit', { file_path: path, old_string: `value = ${was}`, new_string: `value = ${was + 1}` }),
      bash('npm test'),
      ...(round % 3 === 0 ? [bash('git status --short'), bash('git diff --stat'), bash(`git add --all && git commit --quiet -m "Set part ${round % FILES} to ${was + 1}"`)] : []),
      ...(round % 8 === 0 ? [use('Write', { file_path: join(project, `docs/note-${round}.md`), content: `# Note ${round}\n` })] : []),
      ...(round % 12 === 0 ? [bash('cat .env.example'), bash('ls -la . src')] : []),
      ...(round % 9 === 4 ? [bash('rm -rf build')] : []),
      ...(round === 20 ? [bash('curl -sS https://docs.example/')] : []),
    ]
  }).flat()

const world = await createScriptedWorld(day)
try {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(world.project, path, '..'), { recursive: true })
    writeFileSync(join(world.project, path), text)
  }
  world.git('add', '--all')
  world.git('commit', '--quiet', '--message=Parts')
  const profile = `agent: tester\nmodel: { key: agent/test, baseUrl: "${world.model.baseUrl}" }\npolicy: { deny: ["Bash(rm:*)", "Bash(curl:*)"], allow: ["Bash(npm test:*)"] }\n`
  writeFileSync(join(world.holdfastHome, 'config', 'profiles', 'test.yaml'), profile)
  const run = await world.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Raise every part, and keep the tests green.'])
  if (run.code !== 0) throw new Error(`the session ended with ${run.code}: ${run.stderr}`)
  const { stdout } = await world.holdfast(['ledger', 'export'])
  const text = stdout.replaceAll(world.folder, '/home/ada')
  writeFileSync(fileURLToPath(new URL('../fixtures/recorded-session.jsonl.gz', import.meta.url)), gzipSync(text, { level: 9 }))
  console.log(`${text.split('\n').length - 1} entries`)
} finally {
  await world.end()
}
