import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PolicyDecision } from '../../shared/contract/schemas/tool-call.ts'
import { createForesee } from '../../shared/core/foresight/foresee.ts'
import { decisionOf } from '../support/fakes.ts'
import { createRepository, createScratch, gitIn, openStore, SESSION } from './checkpoint-fixture.ts'

let scratch: ReturnType<typeof createScratch>
let project: string
const put = (path: string, text = 'x'): string => {
  const file = join(project, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
  return file
}

beforeEach(() => {
  scratch = createScratch()
  project = join(scratch.folder, 'project')
  createRepository(project)
  put('.gitignore', 'node_modules\n')
  put('src/a.ts', 'one\n')
  put('src/b.ts', 'two\n')
  gitIn(project, 'add', '.')
  gitIn(project, 'commit', '--quiet', '-m', 'the first')
})
afterEach(() => scratch.remove())

const foresee = async (command: string, decision: PolicyDecision = decisionOf('ask')) => {
  const store = openStore(join(scratch.folder, 'checkpoints'))
  await store.create({ sessionId: SESSION, root: project, reason: 'start' })
  const look = createForesee({ keep: () => store.create({ sessionId: SESSION, root: project, reason: 'before-destructive' }) })
  const seen = await look({ sessionId: SESSION, tool: 'Bash', input: { command }, cwd: project, folder: project, home: '/nonexistent', decision, signal: new AbortController().signal })
  return { ...seen.foresight, coveredBy: seen.coveredBy }
}
const preview = async (command: string) => (await foresee(command)).preview.map(({ summary, lines, more }) => ({ summary, lines, more }))

describe('what a call would do', () => {
  it('rm: the files, with their number and sizes', async () => {
    put('build/deep/c.o', 'x'.repeat(2_048))
    put('build/a.o', 'xy')
    expect(await preview('rm -rf build src/*.ts missing')).toEqual([
      { summary: 'deletes 4 files, 2.0 KiB, 2 folders', lines: ['build/a.o  2 B', 'build/deep/c.o  2.0 KiB', 'src/a.ts  4 B', 'src/b.ts  4 B'], more: 0 },
    ])
    expect(await preview('rm -rf missing')).toEqual([{ summary: 'nothing is there to delete', lines: [], more: 0 }])
    expect((await preview('rm -rf $X'))[0]?.summary).toBe('not computed: which files are meant, only the shell will know')
    expect((await preview('rm -rf /etc'))[0]?.summary).toBe('not computed: it goes outside the folders of the session')
  })

  it('rm inside what another command runs, each removal once', async () => {
    expect(await preview('sudo sh -c "cd src && rm a.ts"; timeout 5 rm src/b.ts')).toMatchObject([{ lines: ['src/a.ts  4 B'] }, { lines: ['src/b.ts  4 B'] }])
  })

  it('git: asked by the system’s own, and not by one of the project that PATH names first, as direnv has it', async () => {
    const ran = join(scratch.folder, 'ran')
    chmodSync(put('node_modules/.bin/git', `#!/bin/sh\ntouch ${ran}\nexec /usr/bin/git "$@"\n`), 0o755)
    vi.stubEnv('PATH', `${join(project, 'node_modules/.bin')}:${process.env['PATH']}`)
    gitIn(project, 'commit', '--quiet', '--allow-empty', '-m', 'the second')
    rmSync(ran, { force: true })
    expect(await preview('git reset --hard HEAD~1')).toMatchObject([{}, { lines: [expect.stringContaining('the second') as string] }])
    expect(existsSync(ran)).toBe(false)
    vi.unstubAllEnvs()
  })

  it('SQL given to sqlite3: how many rows, counted in a file that is only read', async () => {
    const file = join(project, 'app.db')
    const database = new DatabaseSync(file)
    database.exec("CREATE TABLE users (id INTEGER, kind TEXT); INSERT INTO users VALUES (1, 'a'), (2, 'a'), (3, 'b')")
    database.close()
    const before = [readFileSync(file), readdirSync(project)]
    expect(await preview('sqlite3 app.db "DELETE FROM users"')).toEqual([{ summary: 'deletes 3 rows (users)', lines: [], more: 0 }])
    expect(await preview(`sqlite3 -batch ./app.db "UPDATE users SET kind = 'c' WHERE 1 = 1 OR kind = 'a'"`)).toMatchObject([{ summary: 'changes 3 rows (users)' }])
    expect(await preview('sqlite3 app.db "drop table users"')).toMatchObject([{ summary: 'drops a table with 3 rows (users)' }])
    expect(await preview('sqlite3 app.db "DELETE FROM missing"')).toMatchObject([{ summary: 'not computed: the database could not be counted' }])
    expect(await preview('sqlite3 app.db "DELETE FROM users; DROP TABLE users"')).toMatchObject([{ summary: 'not computed: which rows are meant is not followed here' }])
    expect(await preview('sqlite3 gone.db "DELETE FROM users"')).toMatchObject([{ summary: 'not computed: there is no such database' }])
    symlinkSync('/etc/passwd', join(project, 'link.db'))
    expect(await preview('sqlite3 link.db "DELETE FROM users"')).toMatchObject([{ summary: 'not computed: the database lies outside the folders of the session' }])
    expect([readFileSync(file), readdirSync(project).filter((name) => name !== 'link.db')]).toEqual(before)
    const writer = new DatabaseSync(file)
    writer.exec("PRAGMA journal_mode = WAL; INSERT INTO users VALUES (4, 'c')")
    expect(await preview('sqlite3 app.db "DELETE FROM users"')).toMatchObject([{ summary: 'not computed: another program is writing to the database' }])
    writer.close()
  })

  it('SQL that counts without end is given up, and takes nothing with it', async () => {
    const database = new DatabaseSync(join(project, 'slow.db'))
    database.exec('CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n')
    database.close()
    expect(await preview('sqlite3 slow.db "DELETE FROM slow"')).toMatchObject([{ summary: 'not computed: the database could not be counted' }])
  })

  it('says how many more there are than it lists', async () => {
    for (let index = 0; index < 130; index += 1) put(`many/${index}`)
    expect(await preview('rm -r many')).toMatchObject([{ summary: 'deletes 130 files, 130 B, 1 folder', more: 30 }])
  })

  it('git reset: the commits taken off the branch, and the files with changes', async () => {
    put('src/a.ts', 'changed\n')
    gitIn(project, 'commit', '--quiet', '-am', 'the second')
    put('src/b.ts', 'not committed\n')
    const [files, commits] = await preview('git reset --hard HEAD~1')
    expect(files).toEqual({ summary: 'changed since git last looked: 1 file, which it may throw away', lines: ['M src/b.ts'], more: 0 })
    expect(commits).toEqual({ summary: 'taken off this branch: 1 commit', lines: [expect.stringMatching(/^[0-9a-f]{7,} the second$/)], more: 0 })
  })

  it('git branch -D, push --force, clean and stash: what is only there', async () => {
    gitIn(project, 'checkout', '--quiet', '-b', 'topic')
    put('src/a.ts', 'on topic\n')
    gitIn(project, 'commit', '--quiet', '-am', 'on the topic')
    gitIn(project, 'update-ref', 'refs/remotes/origin/main', 'topic')
    gitIn(project, 'checkout', '--quiet', 'main')
    expect(await preview('git push --force origin main')).toMatchObject([{ summary: 'lost on origin, as it was when last fetched: 1 commit', lines: [expect.stringContaining('on the topic')] }])
    expect(await preview('git branch -D topic')).toMatchObject([{ summary: 'only on topic: no commit' }])
    gitIn(project, 'update-ref', '-d', 'refs/remotes/origin/main')
    expect(await preview('git branch -D topic')).toMatchObject([{ summary: 'only on topic: 1 commit', lines: [expect.stringContaining('on the topic')] }])
    put('new/file')
    expect(await preview('git clean -fd')).toMatchObject([{ lines: ['new/'] }])
    put('src/a.ts', 'to stash\n')
    gitIn(project, 'stash', 'push', '-m', 'later')
    expect(await preview('git stash clear')).toMatchObject([{ summary: 'the stash holds', lines: [expect.stringContaining('On main: later')] }])
  })

  it('runs nothing that the repository names, though it is the agent\u2019s own', async () => {
    const trap = put('trap.sh', `#!/bin/sh\ntouch ${project}/sprung\ncat\n`)
    chmodSync(trap, 0o755)
    for (const [name, value] of [['core.fsmonitor', trap], ['filter.x.clean', trap], ['filter.x.smudge', trap], ['diff.x.textconv', trap], ['core.pager', trap], ['core.hooksPath', project],
      ['core.sshCommand', trap], ['core.alternateRefsCommand', trap], ['gpg.program', trap], ['log.showSignature', 'true'], ['extensions.partialClone', 'evil'],
      ['remote.evil.url', `ext::${trap}`], ['remote.evil.promisor', 'true'], ['protocol.ext.allow', 'always']]) gitIn(project, 'config', name ?? '', value ?? '')
    put('.gitattributes', '* filter=x diff=x\n')
    // Written at the very time of the index: git would compare the content to be sure.
    put('src/a.ts', 'two\n')
    utimesSync(join(project, 'src/a.ts'), new Date(), new Date())
    gitIn(project, 'update-ref', '--no-deref', 'refs/remotes/origin/main', 'HEAD')
    for (const command of ['git reset --hard HEAD~1', 'git reset --hard 0123456789012345678901234567890123456789', 'git clean -fdx', 'git checkout -- .', 'git branch -D main', 'git push --force', 'git stash drop']) await preview(command)
    expect(existsSync(join(project, 'sprung'))).toBe(false)
  })

  it('a file written anew: the lines that go and come', async () => {
    const store = openStore(join(scratch.folder, 'checkpoints'))
    const look = createForesee({ keep: () => store.create({ sessionId: SESSION, root: project, reason: 'before-destructive' }) })
    const write = async (path: string, content: string) => {
      const call = { sessionId: SESSION, tool: 'Write', input: { file_path: path, content }, cwd: project, folder: project, home: '/nonexistent', decision: decisionOf('ask'), signal: new AbortController().signal }
      return (await look(call)).foresight.preview[0]
    }
    symlinkSync('/etc/hostname', join(project, 'link'))
    expect(await write(join(project, 'src/a.ts'), 'two\n')).toMatchObject({ summary: 'takes out 1 line, puts in 1', lines: ['- one', '+ two'] })
    expect(await write(join(project, 'new.ts'), 'a\nb\n')).toMatchObject({ summary: 'writes 2 lines', lines: ['+ a', '+ b'] })
    expect((await write(join(project, 'link'), 'x'))?.summary).toBe('not computed: what is there is no file that can be compared')
    expect((await write('/etc/hosts', 'x'))?.summary).toBe('not computed: it goes outside the folders of the session')
  })

  it('says of the rest that it was not computed', async () => {
    expect((await preview('psql -c "DROP TABLE x"'))[0]?.summary).toBe('not computed: there is no connection that can only read')
    expect((await preview('terraform destroy'))[0]?.summary).toBe('not computed: nothing here knows how to look')
  })
})

describe('a checkpoint of the moment', () => {
  it('covers what is in it, and is named', async () => {
    const seen = await foresee('rm -rf src && git status')
    expect(seen.coveredBy).toMatch(/^chk_/)
    expect(seen.recoverable).toEqual({ covered: true, why: `a checkpoint of this moment holds all of it: ${seen.coveredBy}` })
    expect((await foresee('git reset --hard')).recoverable).toMatchObject({ covered: true })
  })

  it('does not cover what it leaves out, what lies behind a link, and what cannot be told', async () => {
    put('node_modules/left-pad/index.js')
    put('out/a')
    symlinkSync('/etc', join(project, 'link'))
    symlinkSync('/etc/passwd', join(project, 'out/passwd'))
    const why = async (command: string) => {
      const { recoverable, coveredBy } = await foresee(command)
      expect([coveredBy, recoverable?.covered]).toEqual([null, false])
      return recoverable?.why
    }
    expect(await why('rm -rf node_modules')).toContain('checkpoints leave out node_modules: dependencies or build output')
    expect(await why('rm -rf link/x')).toContain("leads out of the checkpoint's folders")
    expect(await why('truncate -s 0 out/*')).toContain("out/passwd leads out of the checkpoint's folders")
    expect(await why('rm -rf $X')).toContain('cannot be told for sure')
    expect(await why('git push --force')).toContain('cannot be told for sure')
  })

  it('is not asked for where nothing is destroyed', async () => {
    expect((await foresee('npm publish', decisionOf('ask', 'write'))).recoverable).toBeNull()
  })
})
