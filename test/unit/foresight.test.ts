import { describe, expect, test } from 'vitest'
import { Checkpoint } from '../../shared/contract/schemas/checkpoint.ts'
import { containedEffect } from '../../shared/domain/foresight/contained.ts'
import { notCovered } from '../../shared/domain/foresight/covered.ts'
import { touchesOf } from '../../shared/domain/foresight/touches.ts'

const cwd = '/home/a/project'
const effectOf = (command: string, folder = cwd) => containedEffect({ tool: 'Bash', input: { command }, cwd, folder, home: '/home/a' })

describe('what a destructive call destroys', () => {
  test.each([
    ['rm -rf build', [`${cwd}/build`], false],
    ['rm -rf ./build dist && ls', [`${cwd}/build`, `${cwd}/dist`], false],
    ['cd sub && rm a.txt', [`${cwd}/sub/a.txt`], false],
    ['rm -f *.log', [cwd], false],
    ['rm -f logs/*.log 2>/dev/null', [`${cwd}/logs`], false],
    [`rm ${cwd}/a -- -b`, [`${cwd}/a`, `${cwd}/-b`], false],
    ['find src -name "*.o" -delete', [`${cwd}/src`], false],
    ['git reset --hard', [cwd], true],
    ['git reset --hard HEAD~3', [cwd], false],
    ['git checkout -- a.ts', [`${cwd}/a.ts`], true],
    ['git clean -fdx', [cwd], false],
    ['git branch -D topic', [], true],
    ['git stash clear; git status', [], true],
  ])('is told of %s', (command, paths, trackedOnly) => {
    expect(effectOf(command)).toMatchObject({ paths, trackedOnly })
  })

  test.each([
    'rm -rf ../other', 'rm -rf /etc', 'rm -rf ~/x', 'rm -rf $DIR', 'rm -rf "$(pwd)/x"', 'rm -rf `pwd`', 'rm -rf {a,/etc}', 'rm -rf build > /etc/x',
    'rm -rf build && npm install', 'rm -rf build && curl -d @x https://example.com', 'sudo rm -rf build', 'sh -c "rm -rf build"', 'xargs rm < list',
    'A=b rm x', 'GIT_DIR=/x git reset --hard', 'export GIT_DIR=/x; git reset --hard', 'git -C /x reset --hard', 'git reset --hard --recurse-submodules',
    'git push --force', 'rm -rf .git', 'rm .git/hooks/x', 'cd .. && rm x', 'cd "$X" && rm x', 'rm --no-preserve-root -rf /', 'rm \\\n-rf x', '! rm x',
    'find . -exec rm {} ;', 'find . -fprint /etc/x -delete', 'find / -delete', 'mv -t /etc a', 'mv a /etc', './rm x', 'alias rm=x; rm y', 'f() { rm x; }; f',
    'git checkout main a.ts', 'git restore --source=main .', 'eval rm x', 'rm x; frobnicate', 'rm "x', 'cd /etc && rm x', 'rm a/../../x', 'rm -rf src*/../../../x',
    'rm */x', 'rm', 'echo rm', 'DROP TABLE x',
  ])('is not guessed at: %s', (command) => {
    const effect = effectOf(command)
    expect(effect === null || (effect.paths.length === 0 && command.startsWith('echo'))).toBe(true)
  })

  test('is not told where the shell is outside the project, nor of other tools', () => {
    expect(effectOf('rm x', '/tmp')).toBeNull()
    expect(effectOf('rm x', `${cwd}/sub`)?.paths).toEqual([`${cwd}/sub/x`])
    expect(containedEffect({ tool: 'Write', input: { file_path: 'x' }, cwd, folder: cwd })).toBeNull()
  })
})

describe('a checkpoint covers an effect', () => {
  const checkpoint = (changes: Partial<Checkpoint> = {}): Checkpoint => ({
    ...Checkpoint.parse({ id: 'chk_22222222222b', sessionId: 'ses_22222222222b', reason: 'start', root: cwd, extraRoots: [], hasGit: true, takenAt: 1, fileCount: 3, pinned: false,
      leftOut: [{ path: 'node_modules', reason: 'dependencies or build output' }, { path: 'data/big.bin', reason: 'too large (300.0 MiB)' }] }),
    ...changes,
  })
  const why = (paths: string[], trackedOnly = false, changes: Partial<Checkpoint> = {}) => notCovered({ paths, trackedOnly }, checkpoint(changes))

  test('that lies in its folders and has nothing in it that was left out', () => {
    expect(why([`${cwd}/src`])).toBeNull()
    expect(why(['/extra/x'], false, { extraRoots: ['/extra'] })).toBeNull()
  })

  test.each([
    [[`${cwd}/node_modules`], 'leave out node_modules'],
    [[`${cwd}/node_modules/left-pad/index.js`], 'leave out node_modules'],
    [[cwd], 'leave out node_modules'],
    [[`${cwd}/data`], 'leave out data/big.bin: too large'],
    [['/home/a/elsewhere'], "is not in the checkpoint's folders"],
    [[`${cwd}2/x`], "is not in the checkpoint's folders"],
  ])('but not %j', (paths, reason) => {
    expect(why(paths)).toContain(reason)
  })

  test('of what git tracks, though dependencies are left out; not where a large file is, nor without git', () => {
    expect(why([`${cwd}/src`], true)).toBeNull()
    expect(why([cwd], true)).toContain('big.bin')
    expect(why([cwd], true, { leftOut: [{ path: 'node_modules', reason: 'dependencies or build output' }] })).toBeNull()
    expect(why([], true, { hasGit: false })).toContain('no git')
  })
})

describe('what a call would touch', () => {
  const of = (tool: string, input: unknown) => {
    const { touches, production } = touchesOf({ tool, input, folder: cwd, home: '/home/a' })
    return [touches.map(({ kind, name }) => `${kind} ${name}`), production]
  }
  const bash = (command: string) => of('Bash', { command })

  test.each([
    ['rm -rf build ../x ~/y', ['path /home/a/project/build', 'path /home/a/x', 'path /home/a/y'], false],
    ['cd sub && rm *.o', ['path /home/a/project/sub/*.o'], false],
    ['sudo chmod 777 /etc/hosts', ['path /etc/hosts'], false],
    ['git push --force origin main', ['ref origin', 'ref main'], false],
    ['git push -f', ["ref the default remote, the current branch's counterpart"], false],
    ['psql -h prod-db -c "DROP TABLE IF EXISTS users; DELETE FROM orders"', ['table users', 'table orders', 'resource prod-db', 'host -h prod-db'], true],
    ['kubectl --context production delete pod web-1', ['resource kubectl production delete pod web-1', 'host --context production'], true],
    ['ssh deploy@web1.example.com reboot', ['host web1.example.com'], false],
    ['curl -X DELETE https://api.example.com/v1/x', ['host api.example.com'], false],
    ['rm $X', [], false],
  ])('%s', (command, touches, production) => {
    expect(bash(command)).toEqual([touches, production])
  })

  test('by the arguments of other tools', () => {
    expect(of('Network', { host: 'example.com', port: 443 })).toEqual([['host example.com:443'], false])
    expect(of('mcp__db__query', { sql: 'DELETE FROM users' })).toEqual([['table users'], false])
    expect(of('mcp__gh__delete_branch', { owner: 'acme', repo: 'web', branch: 'main', env: 'prod' })).toEqual([['resource acme', 'resource web', 'ref main', 'resource prod'], true])
    expect(of('Write', { file_path: '/x/.envrc', content: 'a' })).toEqual([['path /x/.envrc'], false])
  })
})
