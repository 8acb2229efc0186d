import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { descendsFrom, parentOf, processStartTime } from '../../shared/core/process-info.ts'
import {
  readEndpoint,
  removeEndpoint,
  writeEndpoint,
  type Endpoint,
} from '../../shared/core/transports/endpoint-file.ts'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0

const endpoint = (changes: Partial<Endpoint> = {}): Endpoint => ({
  protocol: 1,
  pid: process.pid,
  processStartTime: processStartTime(process.pid),
  socketPath: '/run/x/host.sock',
  token: 'token-0123456789-0123456789-0123456789',
  ...changes,
})

const endedProcess = async (): Promise<number> => {
  const child = spawn(process.execPath, ['-e', ''], { env: {} })
  await once(child, 'exit')
  return child.pid ?? 0
}

describe('the endpoint file', () => {
  let top: string
  let folder: string
  let file: string

  beforeEach(async () => {
    top = await mkdtemp(join(tmpdir(), 'holdfast-'))
    folder = join(top, 'data', 'run')
    file = join(folder, 'endpoint.json')
  })
  afterEach(() => rm(top, { recursive: true }))

  test('is read as it was written, 0600 in a 0700 folder, with nothing beside it', async () => {
    await writeEndpoint(folder, endpoint({ protocol: 7 }))
    expect(await readEndpoint(folder)).toEqual(endpoint({ protocol: 7 }))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect(await readdir(folder)).toEqual(['endpoint.json'])
  })

  test('replaces the one before', async () => {
    await writeEndpoint(folder, endpoint({ socketPath: '/old' }))
    await writeEndpoint(folder, endpoint({ socketPath: '/new' }))
    expect((await readEndpoint(folder))?.socketPath).toBe('/new')
  })

  test('is null when there is no file, and no folder', async () => {
    expect(await readEndpoint(folder)).toBeNull()
  })

  test.each(['', '{', '[]', '{"protocol":1}', JSON.stringify({ ...endpoint(), token: 'short' }), ' '.repeat(20_000)])(
    'is null when it makes no sense: %j',
    async (text) => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(file, text, { mode: 0o600 })
      expect(await readEndpoint(folder)).toBeNull()
    },
  )

  test.skipIf(!isLinux)('is null when its process has ended', async () => {
    await writeEndpoint(folder, endpoint({ pid: await endedProcess(), processStartTime: 1 }))
    expect(await readEndpoint(folder)).toBeNull()
  })

  test.skipIf(!isLinux)('is null when its process id belongs to a younger process', async () => {
    await writeEndpoint(folder, endpoint({ processStartTime: (processStartTime(process.pid) ?? 0) - 1 }))
    expect(await readEndpoint(folder)).toBeNull()
  })

  test('is given where the platform told no start time: the attempt to connect decides', async () => {
    await writeEndpoint(folder, endpoint({ processStartTime: null }))
    expect((await readEndpoint(folder))?.processStartTime).toBeNull()
  })

  test.each([0o640, 0o604, 0o620])('with mode %o is refused, and says what to do without the token', async (mode) => {
    await writeEndpoint(folder, endpoint())
    await chmod(file, mode)
    const error = await readEndpoint(folder).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unauthorised', message: expect.stringContaining('Remove it') })
    expect(String(error)).not.toContain('token-0')
  })

  test.skipIf(!isRoot)('of another user is refused', async () => {
    await writeEndpoint(folder, endpoint())
    await chown(file, 65_534, 65_534)
    await expect(readEndpoint(folder)).rejects.toMatchObject({ code: 'unauthorised' })
  })

  test('that is a link is refused', async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(join(top, 'elsewhere'), JSON.stringify(endpoint()), { mode: 0o600 })
    await symlink(join(top, 'elsewhere'), file)
    await expect(readEndpoint(folder)).rejects.toMatchObject({
      code: 'unauthorised',
      message: expect.stringContaining('is a link'),
    })
  })

  test('is not written into a folder open to others, nor through a link, and the folder stays as it was', async () => {
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
    await expect(writeEndpoint(folder, endpoint())).rejects.toMatchObject({
      code: 'unauthorised',
      message: expect.stringContaining('chmod 700'),
    })
    expect((await stat(folder)).mode & 0o777).toBe(0o755)
    await symlink(folder, join(top, 'link'))
    await expect(writeEndpoint(join(top, 'link'), endpoint())).rejects.toMatchObject({ code: 'unauthorised' })
    expect(await readdir(folder)).toEqual([])
  })

  test('that cannot be put in its place leaves nothing half-made', async () => {
    await mkdir(file, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    await expect(writeEndpoint(folder, endpoint())).rejects.toThrow('EISDIR')
    expect(await readdir(folder)).toEqual(['endpoint.json'])
  })

  test.skipIf(!isLinux)('says that the home cannot be written', async () => {
    await expect(writeEndpoint('/sys/holdfast-none', endpoint())).rejects.toMatchObject({ code: 'read-only' })
  })

  test('is removed by its own host alone', async () => {
    await writeEndpoint(folder, endpoint())
    await removeEndpoint(folder, endpoint({ token: 'another-0123456789-0123456789-0123456789' }))
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(endpoint())
    await removeEndpoint(folder, endpoint())
    expect(await readdir(folder)).toEqual([])
    await removeEndpoint(folder, endpoint())
  })
})

describe.skipIf(!isLinux)('process information', () => {
  test('names the parent, also of a process whose name holds spaces and parentheses', async () => {
    const child = spawn(process.execPath, ['-e', "process.title = 'a) b ('; process.stdin.resume(); console.log(1)"], {
      env: {},
    })
    await once(child.stdout, 'data')
    const pid = child.pid ?? 0
    expect(await readFile(`/proc/${pid}/comm`, 'utf8')).toBe('a) b (\n')
    expect(parentOf(pid)).toBe(process.pid)
    expect(processStartTime(pid)).toBeGreaterThanOrEqual(processStartTime(process.pid) ?? Infinity)
    expect(descendsFrom(pid, process.pid)).toBe(true)
    expect(descendsFrom(pid, process.ppid)).toBe(true)
    expect(descendsFrom(process.pid, pid)).toBe(false)
    child.kill()
    await once(child, 'exit')
  })

  test('a process descends from itself, and of an ended one nothing is known', async () => {
    expect(descendsFrom(process.pid, process.pid)).toBe(true)
    const pid = await endedProcess()
    expect(processStartTime(pid)).toBeNull()
    expect(parentOf(pid)).toBeNull()
    expect(descendsFrom(pid, process.pid)).toBeNull()
  })
})
